import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LoadedUnit } from '../../../agent/system/service-manager.ts'
import { planSwitch, type SwitchPlan } from '../../../agent/system/switch-plan.ts'
import type { UnitEntry, UnitTree } from '../../../agent/system/unit-tree.ts'

/** `name` → text; `-> other` is an alias. */
type Files = Record<string, string>
export type Story = {
  old: Files
  next: Files
  /** Active unless said otherwise: `web.service failed`. */
  loaded: string[]
  plan: Partial<SwitchPlan>
  resume?: string[]
  /** More systems that a cut switch went through. */
  also?: Files[]
}

export const web = (extra = '') => `[Service]\nExecStart=/nix/store/a-web/bin/web\n${extra}`
export const web2 = (extra = '') => `[Service]\nExecStart=/nix/store/b-web/bin/web\n${extra}`
export const wanted = { 'multi-user.target': '[Unit]', 'multi-user.target.wants/web.service': '' }
export const early = (wants: string) => ({ 'sysinit.target': `[Unit]\nWants=${wants}` })
export const earlyStep = (text: string) =>
  `[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/${text}`
export const changed = (extra: string) => ({
  old: { 'web.service': web() },
  next: { 'web.service': web2(extra) },
  loaded: ['web.service'],
})

/** Runs each story as a test of its own. */
export function testStories(stories: [name: string, story: Story][]): void {
  for (const [name, story] of stories) {
    test(name, () => {
      const plan = planSwitch({
        from: [story.old, ...(story.also ?? [])].map(tree),
        to: tree(story.next),
        loaded: story.loaded.map(loaded),
        resume: story.resume ?? [],
        startWanted: false,
      })
      const empty = { stop: [], reload: [], restart: [], start: [], leave: [] }
      const { reset, ...rest } = plan
      const { reset: wantedReset, ...wantedPlan } = story.plan
      assert.deepEqual(rest, { ...empty, ...wantedPlan })
      if (wantedReset !== undefined) assert.deepEqual(reset, wantedReset)
    })
  }
}

export function tree(files: Files): UnitTree {
  const entries = Object.entries(files).map(([name, text]): [string, UnitEntry] => [
    name,
    text.startsWith('-> ') ? { alias: text.slice(3) } : { text },
  ])
  return { folders: [new Map(entries)] }
}

export function loaded(text: string): LoadedUnit {
  const [name, active = 'active', fragment] = text.split(' ')
  return {
    name: name!,
    active: active as LoadedUnit['active'],
    sub: active === 'active' ? 'running' : active,
    fragment: fragment ?? `/etc/systemd/system/${name}`,
    exitCode: 0,
  }
}
