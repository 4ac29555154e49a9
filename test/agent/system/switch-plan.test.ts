import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planSwitch } from '../../../agent/system/switch-plan.ts'
import {
  changed,
  loaded,
  type Story,
  testStories,
  tree,
  wanted,
  web,
  web2,
} from './switch-stories.ts'

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
    { ...changed('X-RestartIfChanged=false'), plan: { leave: ['web.service'] } },
  ],
  [
    'leaves what only people start',
    { ...changed('[Unit]\nX-OnlyManualStart=yes'), plan: { leave: ['web.service'] } },
  ],
  [
    'leaves what refuses to be stopped',
    { ...changed('[Unit]\nRefuseManualStop=yes'), plan: { leave: ['web.service'] } },
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
]

testStories(stories)

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
