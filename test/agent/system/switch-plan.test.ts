import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LoadedUnit } from '../../../agent/system/service-manager.ts'
import { planSwitch, type SwitchPlan } from '../../../agent/system/switch-plan.ts'
import type { UnitEntry, UnitTree } from '../../../agent/system/unit-tree.ts'

/** `name` → text; `-> other` is an alias. */
type Files = Record<string, string>
type Story = {
  old: Files
  next: Files
  /** Active unless said otherwise: `web.service failed`. */
  loaded: string[]
  plan: Partial<SwitchPlan>
  resume?: string[]
  /** More systems that a cut switch went through. */
  also?: Files[]
}

const web = (extra = '') => `[Service]\nExecStart=/nix/store/a-web/bin/web\n${extra}`
const web2 = (extra = '') => `[Service]\nExecStart=/nix/store/b-web/bin/web\n${extra}`
const wanted = { 'multi-user.target': '[Unit]', 'multi-user.target.wants/web.service': '' }
const changed = (extra: string) => ({
  old: { 'web.service': web() },
  next: { 'web.service': web2(extra) },
  loaded: ['web.service'],
})

const stories: [name: string, story: Story][] = [
  [
    'leaves what is the same',
    {
      old: { 'web.service': web() },
      next: { 'web.service': `# new\n${web()}` },
      loaded: ['web.service'],
      plan: {},
    },
  ],
  [
    'stops a changed service, and starts it with the new files',
    { ...changed(''), plan: { stop: ['web.service'], start: ['web.service'] } },
  ],
  [
    'does not start a changed service that nobody runs or wants',
    { ...changed(''), loaded: [], plan: {} },
  ],
  [
    'restarts where stopping first is not wanted',
    { ...changed('X-StopIfChanged=no'), plan: { restart: ['web.service'] } },
  ],
  [
    'reloads where that is asked for',
    { ...changed('X-ReloadIfChanged=yes'), plan: { reload: ['web.service'] } },
  ],
  [
    'leaves what does not want to be restarted, and says so',
    { ...changed('X-RestartIfChanged=false'), plan: { skip: ['web.service'] } },
  ],
  [
    'leaves what only people start',
    { ...changed('[Unit]\nX-OnlyManualStart=yes'), plan: { skip: ['web.service'] } },
  ],
  [
    'leaves what refuses to be stopped',
    { ...changed('[Unit]\nRefuseManualStop=yes'), plan: { skip: ['web.service'] } },
  ],
  [
    'reloads for a reload trigger',
    {
      old: { 'web.service': web('[Unit]\nX-Reload-Triggers=a') },
      next: { 'web.service': web('[Unit]\nX-Reload-Triggers=b') },
      loaded: ['web.service'],
      plan: { reload: ['web.service'] },
    },
  ],
  [
    'stops what is gone',
    {
      old: { 'web.service': web() },
      next: {},
      loaded: ['web.service'],
      plan: { stop: ['web.service'] },
    },
  ],
  [
    'stops what is masked',
    {
      old: { 'web.service': web() },
      next: { 'web.service': '' },
      loaded: ['web.service'],
      plan: { stop: ['web.service'] },
    },
  ],
  [
    'leaves what is gone and wants to stay',
    {
      old: { 'web.service': web('[Unit]\nX-StopOnRemoval=no') },
      next: {},
      loaded: ['web.service'],
      plan: {},
    },
  ],
  [
    'starts what an active target newly wants',
    {
      old: { 'multi-user.target': '[Unit]' },
      next: { ...wanted, 'web.service': web() },
      loaded: ['multi-user.target'],
      plan: { start: ['web.service'] },
    },
  ],
  [
    'starts what a target names itself',
    {
      old: { 'multi-user.target': '[Unit]' },
      next: { 'multi-user.target': '[Unit]\nWants=web.service', 'web.service': web() },
      loaded: ['multi-user.target'],
      plan: { start: ['web.service'] },
    },
  ],
  [
    'does not start what an inactive target wants',
    { old: {}, next: { ...wanted, 'web.service': web() }, loaded: [], plan: {} },
  ],
  [
    'does not start what is wanted, was wanted and has ended',
    {
      old: { ...wanted, 'web.service': web() },
      next: { ...wanted, 'web.service': web() },
      loaded: ['multi-user.target', 'web.service inactive'],
      plan: {},
    },
  ],
  [
    'starts what failed, is wanted and has changed',
    {
      old: { ...wanted, 'web.service': web() },
      next: { ...wanted, 'web.service': web2() },
      loaded: ['multi-user.target', 'web.service failed'],
      plan: { start: ['web.service'] },
    },
  ],
  [
    'does not try again what failed and is the same',
    {
      old: { ...wanted, 'web.service': web() },
      next: { ...wanted, 'web.service': web() },
      loaded: ['multi-user.target', 'web.service failed'],
      plan: {},
    },
  ],
  [
    'forgets the failure of what is gone',
    {
      old: { 'web.service': web() },
      next: {},
      loaded: ['web.service failed'],
      plan: { reset: ['web.service'] },
    },
  ],
  [
    'does not start a wanted unit that is masked',
    {
      old: { 'multi-user.target': '[Unit]' },
      next: { ...wanted, 'web.service': '' },
      loaded: ['multi-user.target'],
      plan: {},
    },
  ],
  [
    'starts again what pulls in something new, without restarting it',
    {
      old: { 'web.service': web() },
      next: { 'web.service': web('[Unit]\nWants=db.service') },
      loaded: ['web.service'],
      plan: { start: ['web.service'] },
    },
  ],
  [
    'takes the socket of a changed service along, which starts it',
    {
      old: { 'web.service': web(), 'web.socket': '[Socket]' },
      next: { 'web.service': web2(), 'web.socket': '[Socket]' },
      loaded: ['web.service', 'web.socket'],
      plan: { stop: ['web.service', 'web.socket'], start: ['web.socket'] },
    },
  ],
  [
    'starts both where the service says it is not started by its socket',
    {
      old: { 'web.service': web(), 'web.socket': '[Socket]' },
      next: { 'web.service': web2('X-NotSocketActivated=yes'), 'web.socket': '[Socket]' },
      loaded: ['web.service', 'web.socket'],
      plan: { stop: ['web.service', 'web.socket'], start: ['web.service', 'web.socket'] },
    },
  ],
  [
    'leaves a changed socket by itself',
    {
      old: { 'web.socket': '[Socket]\nListenStream=1' },
      next: { 'web.socket': '[Socket]\nListenStream=2' },
      loaded: ['web.socket'],
      plan: {},
    },
  ],
  [
    'leaves changed slices and paths to systemd',
    {
      old: { 'a.slice': '[Slice]\nx=1', 'a.path': '[Path]\nx=1' },
      next: { 'a.slice': '[Slice]\nx=2', 'a.path': '[Path]\nx=2' },
      loaded: ['a.slice', 'a.path'],
      plan: {},
    },
  ],
  [
    'restarts a changed timer',
    {
      old: { 'a.timer': '[Timer]\nOnCalendar=daily' },
      next: { 'a.timer': '[Timer]\nOnCalendar=hourly' },
      loaded: ['a.timer'],
      plan: { restart: ['a.timer'] },
    },
  ],
  [
    'mounts again what is mounted from elsewhere, but not the store',
    {
      old: { 'srv.mount': '[Mount]\nWhat=a', 'nix.mount': '[Mount]\nWhat=a' },
      next: { 'srv.mount': '[Mount]\nWhat=b', 'nix.mount': '[Mount]\nWhat=b' },
      loaded: ['srv.mount', 'nix.mount'],
      plan: { restart: ['srv.mount'], reload: ['nix.mount'] },
    },
  ],
  [
    'stops a target that asks for it, and starts it in order',
    {
      old: { 'a.target': '[Unit]' },
      next: { 'a.target': '[Unit]\nX-StopOnReconfiguration=yes' },
      loaded: ['a.target'],
      plan: { stop: ['a.target'], start: ['a.target'] },
    },
  ],
  [
    'treats an instance by its template',
    {
      old: { 'job@.service': web() },
      next: { 'job@.service': web2() },
      loaded: ['job@one.service'],
      plan: { stop: ['job@one.service'], start: ['job@one.service'] },
    },
  ],
  [
    'sees a drop-in of one instance',
    {
      old: { 'job@.service': web() },
      next: { 'job@.service': web(), 'job@one.service.d/x.conf': '[Service]\nNice=1' },
      loaded: ['job@one.service', 'job@two.service'],
      plan: { stop: ['job@one.service'], start: ['job@one.service'] },
    },
  ],
  [
    'sees a drop-in for all services',
    {
      old: { 'a.service': web() },
      next: { 'a.service': web(), 'service.d/x.conf': '[Service]\nNice=1' },
      loaded: ['a.service'],
      plan: { stop: ['a.service'], start: ['a.service'] },
    },
  ],
  [
    'follows an alias to what is wanted',
    {
      old: { 'multi-user.target': '[Unit]' },
      next: {
        'multi-user.target': '[Unit]',
        'multi-user.target.wants/www.service': '',
        'www.service': '-> web.service',
        'web.service': web(),
      },
      loaded: ['multi-user.target'],
      plan: { start: ['web.service'] },
    },
  ],
  [
    'reloads the message bus, never restarts it',
    {
      old: { 'dbus.service': web() },
      next: { 'dbus.service': web2() },
      loaded: ['dbus.service'],
      plan: { reload: ['dbus.service'] },
    },
  ],
  [
    'leaves logins alone',
    {
      old: { 'systemd-logind.service': web(), 'user@.service': web(), 'getty@.service': web() },
      next: { 'systemd-logind.service': web2(), 'user@.service': web2(), 'getty@.service': web2() },
      loaded: ['systemd-logind.service', 'user@0.service', 'getty@tty1.service'],
      plan: { skip: ['getty@tty1.service', 'systemd-logind.service', 'user@0.service'] },
    },
  ],
  [
    'restarts the agent last',
    {
      old: { 'holdfast-agent.service': web() },
      next: { 'holdfast-agent.service': web2() },
      loaded: ['holdfast-agent.service'],
      plan: { agent: 'restart' },
    },
  ],
  [
    'stops an agent that is gone last',
    {
      old: { 'holdfast-agent.service': web() },
      next: {},
      loaded: ['holdfast-agent.service'],
      plan: { agent: 'stop' },
    },
  ],
  [
    'leaves units that no system brought',
    { old: {}, next: {}, loaded: ['local.service'], plan: {} },
  ],
  [
    'leaves units from generators, even of the same name',
    { ...changed(''), loaded: ['web.service active /run/systemd/generator/web.service'], plan: {} },
  ],
  [
    'starts what a cut switch had stopped',
    {
      old: { 'web.service': web() },
      next: { 'web.service': web() },
      loaded: [],
      resume: ['web.service', 'gone.service'],
      plan: { start: ['web.service'] },
    },
  ],
  [
    'restarts what a cut switch may have started with other files',
    {
      old: { 'web.service': web() },
      also: [{ 'web.service': web2() }],
      next: { 'web.service': web() },
      loaded: ['web.service'],
      plan: { stop: ['web.service'], start: ['web.service'] },
    },
  ],
  [
    'stops what only the system of a cut switch had',
    {
      old: {},
      also: [{ 'new.service': web() }],
      next: {},
      loaded: ['new.service'],
      plan: { stop: ['new.service'] },
    },
  ],
]

for (const [name, story] of stories) {
  test(name, () => {
    const plan = planSwitch({
      from: [story.old, ...(story.also ?? [])].map(tree),
      to: tree(story.next),
      loaded: story.loaded.map(loaded),
      resume: story.resume ?? [],
      startWanted: false,
    })
    const empty = { stop: [], reload: [], restart: [], start: [], skip: [] }
    const { reset, ...rest } = plan
    const { reset: wantedReset, ...wantedPlan } = story.plan
    assert.deepEqual(rest, { ...empty, ...wantedPlan })
    if (wantedReset !== undefined) assert.deepEqual(reset, wantedReset)
  })
}

test('where nobody has booted, what is wanted and never ran is started', () => {
  const files = { ...wanted, 'web.service': web() }
  const input = { from: [tree(files)], to: tree(files), resume: [], startWanted: true }
  const started = (units: string[]) => planSwitch({ ...input, loaded: units.map(loaded) }).start
  assert.deepEqual(started(['multi-user.target']), ['web.service'])
  assert.deepEqual(started(['multi-user.target', 'web.service inactive']), [])
  assert.deepEqual(started(['multi-user.target', 'web.service failed']), [])
})

test('where the system of now is not known, what it lacks is left, and what differs is not', () => {
  const live = tree({ 'web.service': web(), 'cron.service': web(), 'multi-user.target': '[Unit]' })
  const to = tree({ ...wanted, 'web.service': web2() })
  const units = ['web.service', 'cron.service', 'multi-user.target'].map(loaded)
  const plan = planSwitch({ from: [], live, to, loaded: units, resume: [], startWanted: false })
  assert.deepEqual([plan.stop, plan.start], [['web.service'], ['web.service']])
})

function tree(files: Files): UnitTree {
  const entries = Object.entries(files).map(([name, text]): [string, UnitEntry] => [
    name,
    text.startsWith('-> ') ? { alias: text.slice(3) } : { text },
  ])
  return { folders: [new Map(entries)] }
}

function loaded(text: string): LoadedUnit {
  const [name, active = 'active', fragment] = text.split(' ')
  return {
    name: name!,
    active: active as LoadedUnit['active'],
    sub: active === 'active' ? 'running' : active,
    fragment: fragment ?? `/etc/systemd/system/${name}`,
    exitCode: 0,
  }
}
