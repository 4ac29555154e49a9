import { existsSync, realpathSync } from 'node:fs'
import type { StorePath } from '../codec/documents.ts'
import { messageOf } from '../codec/errors.ts'
import { activateEtc } from './etc-activation.ts'
import { type Layout, readLayout } from './layout-file.ts'
import { openServices } from './open-services.ts'
import { commitProfile } from './profile.ts'
import { linkRoot } from './root-links.ts'
import { runningSystem, setRunningSystem } from './running.ts'
import { AGENT_UNIT, hasFailed, type ServiceManager, type UnitFailure } from './service-manager.ts'
import { withSwitchLock } from './switch-lock.ts'
import { readMarker, removeMarker, writeMarker } from './switch-marker.ts'
import { planSwitch, type SwitchPlan } from './switch-plan.ts'
import { earlierUnits, systemUnits } from './system-units.ts'
import { reexecuteSystemd } from './systemd.ts'
import { applyTmpfiles } from './tmpfiles.ts'

export type SwitchAction = 'switch' | 'boot' | 'test' | 'dry-activate'

export type SwitchOptions = {
  prefix: string
  system: StorePath
  action: SwitchAction
  /** Progress, a line each. */
  say: (line: string) => void
  services?: ServiceManager
}

/** NixOS's exit codes: 0 done, 2 `/etc` or `/usr` could not be moved, 4 done but units failed. */
export type SwitchExit = 0 | 2 | 4

/**
 * Makes a host run another system. Safe to repeat and to cut off anywhere: the next run, of the
 * same system or another, continues from what is really loaded. One at a time: see
 * `switch-lock.ts`.
 */
export async function switchToConfiguration(options: SwitchOptions): Promise<SwitchExit> {
  const { prefix, system, action } = options
  const layout = readLayout(prefix, system)
  return await withSwitchLock(prefix, async () => {
    if (action === 'boot') {
      commitProfile(prefix, system)
      return 0
    }
    const services = options.services ?? openServices({ prefix })
    const run = { ...options, services, layout, from: runningSystem(prefix) }
    const plan = await makePlan(run)
    if (action === 'dry-activate') {
      tell(plan, options.say, dryWords)
      return 0
    }
    const exit = await perform(run, plan)
    if (exit === 0 && action === 'switch') commitProfile(prefix, system)
    return exit
  })
}

type Run = SwitchOptions & {
  services: ServiceManager
  layout: Layout
  from: StorePath | undefined
}

async function makePlan({ prefix, system, services, from }: Run): Promise<SwitchPlan> {
  const of = { prefix, kind: services.kind }
  const marker = readMarker(prefix)
  const earlier = [...(from === undefined ? [] : [from]), ...(marker?.systems ?? [])]
  return planSwitch({
    ...earlierUnits(of, [...new Set(earlier)]),
    to: systemUnits(of, system),
    loaded: await services.list(),
    resume: marker?.units ?? [],
    startWanted: services.kind === 'plain',
  })
}

async function perform(run: Run, plan: SwitchPlan): Promise<SwitchExit> {
  const { prefix, system, services, say } = run
  tell(plan, say, words)
  markSwitching(run, plan)
  // Stopping goes by the old definitions, so it comes before anything moves.
  const stopped = await services.stop(plan.stop)
  for (const { unit, message } of stopped) say(`could not stop ${unit}: ${message}`)
  const moved = await moveFiles(run)
  const failures = await changeUnits(services, plan)
  for (const { unit, message } of failures) say(`failed: ${unit}: ${message}`)
  if (!moved) return 2 // What runs belongs to both: the marker stays, for whoever switches next.
  setRunningSystem(prefix, system)
  removeMarker(prefix)
  await touchAgent(services, plan, say)
  return failures.length > 0 ? 4 : 0
}

function markSwitching({ prefix, system, from }: Run, plan: SwitchPlan): void {
  const marker = readMarker(prefix)
  const earlier = from === undefined ? [] : [from]
  writeMarker(prefix, {
    systems: [...(marker?.systems ?? []), ...earlier, system],
    units: [...(marker?.units ?? []), ...plan.stop, ...plan.start, ...plan.restart],
  })
}

/** `/etc`, `/usr`, users and temporary files. Failing here must not leave services stopped. */
async function moveFiles(run: Run): Promise<boolean> {
  const { prefix, system, layout, services, say, from } = run
  try {
    activateEtc({ prefix, etc: layout.etc })
    const rooted = layout.rootfs !== undefined && services.kind === 'systemd'
    if (rooted) linkRoot({ prefix, rootfs: layout.rootfs! })
    if (services.kind === 'systemd') {
      for (const complaint of await applyTmpfiles(prefix, from, system)) say(complaint)
    }
    if (rooted && mustReexecute(layout)) await reexecuteSystemd()
    await services.readUnitsAgain()
    return true
  } catch (error) {
    say(`could not activate ${system}: ${messageOf(error)}`)
    return false
  }
}

/** Whether the manager that runs is another file than the new system's. */
function mustReexecute({ init }: Layout): boolean {
  if (init === undefined || !existsSync(init)) return false
  try {
    return realpathSync('/proc/1/exe') !== realpathSync(init)
  } catch {
    return false // Not ours to see: not the manager of a host then.
  }
}

/**
 * Time for a service that starts and dies to be seen dying, as NixOS waits for events to settle.
 */
const SETTLE_MS = 300

async function changeUnits(services: ServiceManager, plan: SwitchPlan): Promise<UnitFailure[]> {
  await services.resetFailed(plan.reset)
  const failures = [
    ...(await reloadOrStart(services, plan)),
    ...(await services.restart(plan.restart)),
    ...(await services.start(plan.start)),
  ]
  const touched = new Set([...plan.reload, ...plan.restart, ...plan.start])
  if (touched.size === 0) return failures
  await new Promise(resolve => setTimeout(resolve, SETTLE_MS))
  const dead = (await services.list())
    .filter(unit => touched.has(unit.name) && hasFailed(unit))
    .filter(unit => !failures.some(failure => failure.unit === unit.name))
    .map(unit => ({ unit: unit.name, message: `is ${unit.active} (${unit.sub})` }))
  return [...failures, ...dead]
}

/** What stopped because something it requires was stopped cannot be reloaded: it is started. */
async function reloadOrStart(services: ServiceManager, plan: SwitchPlan): Promise<UnitFailure[]> {
  if (plan.reload.length === 0) return []
  const active = new Set(
    (await services.list()).filter(unit => unit.active === 'active').map(unit => unit.name),
  )
  const running = plan.reload.filter(name => active.has(name))
  const down = plan.reload.filter(name => !active.has(name))
  return [...(await services.reload(running)), ...(await services.start(down))]
}

/** The agent may be who waits for this switch: its own unit comes last, and nobody waits for it. */
async function touchAgent(services: ServiceManager, plan: SwitchPlan, say: SwitchOptions['say']) {
  if (plan.agent === undefined) return
  say(`asking for ${plan.agent} of ${AGENT_UNIT}`)
  await services.later(plan.agent, AGENT_UNIT)
}

type Verbs = [list: 'stop' | 'leave' | 'reload' | 'restart' | 'start', text: string][]

const words: Verbs = [
  ['stop', 'stopping'],
  ['leave', 'NOT restarting, though changed'],
  ['reload', 'reloading'],
  ['restart', 'restarting'],
  ['start', 'starting'],
]
const dryWords: Verbs = [
  ['stop', 'would stop'],
  ['leave', 'would NOT restart, though changed'],
  ['reload', 'would reload'],
  ['restart', 'would restart'],
  ['start', 'would start'],
]

function tell(plan: SwitchPlan, say: SwitchOptions['say'], verbs: Verbs): void {
  for (const [list, text] of verbs) {
    if (plan[list].length > 0) say(`${text}: ${plan[list].join(', ')}`)
  }
  if (plan.agent !== undefined) say(`${plan.agent} of ${AGENT_UNIT} comes last`)
}
