import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../../agent/core/decide.ts'
import type { Event } from '../../../agent/core/event.ts'
import { initialState } from '../../../agent/core/state.ts'
import { limits, outcome, path, reality, release, type Said, START_MS, Teller } from './world.ts'

type Line = Said | ((teller: Teller) => Said | undefined)

const started: Said = { kind: 'started', reality: reality(), limits }
const found = (version: number, name?: string): Said => ({
  kind: 'found',
  candidate: release(version, name),
})
const staged = (version: number): Said => ({ kind: 'staged', key: `digest-${version}` })
const locked = (version: number): Said => ({ kind: 'locked', key: `digest-${version}` })
const measured: Line = ({ state: { step } }) => ({
  kind: 'measured',
  key: step.phase === 'Locked' ? step.goal.key : '',
  baseline: {},
})
const activating: Line = ({ attempt }) => ({ kind: 'activating', attempt })
const done =
  (exitCode: number): Line =>
  ({ attempt }) => ({
    kind: 'activationDone',
    attempt,
    exitCode,
    output: 'it broke\n',
  })
const lost: Line = ({ attempt }) => ({ kind: 'activationLost', attempt, message: 'it is gone' })
const probed =
  (healthy: boolean): Line =>
  ({ attempt, state: { rounds } }) => ({
    kind: 'probed',
    attempt,
    round: rounds,
    healthy,
    failures: healthy ? [] : [{ code: 'http', message: 'it answers 500' }],
  })
const committed: Line = ({ attempt }) => ({ kind: 'committed', attempt, generation: 2 })
const reverted =
  (ok: boolean): Line =>
  ({ attempt }) => ({
    kind: 'reverted',
    attempt,
    ok,
    message: 'it broke too',
  })
const deadline =
  (of: 'activation' | 'probes' | 'revert' | 'fallback'): Line =>
  teller => ({
    kind: 'deadline',
    attempt: teller.attempt,
    of,
  })
const failed = (cause: 'rejected' | 'transient' | 'host'): Said => ({
  kind: 'stageFailed',
  key: 'digest-1',
  cause,
  code: 'closure',
  message: 'it is wrong',
})
const reboot =
  (name = 's0', running = name): Line =>
  teller => ({
    kind: 'started',
    reality: reality(name, `${teller.state.bootId}+`, running),
    limits,
  })
const restart =
  (name = 's0', running = name): Line =>
  teller => ({
    kind: 'started',
    reality: reality(name, teller.state.bootId, running),
    limits,
  })
const rollback: Said = {
  kind: 'commandRollback',
  reality: reality('s1'),
  to: { system: path('s0'), generation: 1 },
}
const reconcile = (retry = false, running = 's0'): Said => ({
  kind: 'commandReconcile',
  reality: reality('s0', 'boot-1', running),
  retry,
})

const toArmed: Line[] = [found(1), staged(1), locked(1), measured]
const toTesting: Line[] = [...toArmed, activating]
const toProbes: Line[] = [...toTesting, done(0)]
const healthy: Line[] = [probed(true), probed(true)]
const toCommitted: Line[] = [...toProbes, ...healthy, committed]
const wentBack: Line[] = [reverted(true), ...healthy]

const cases: [name: string, lines: Line[], trace: string, end: string][] = [
  ['rests when there is nothing', [started], 'tidy', 'Idle s0/s0'],
  [
    'commits a release that proves healthy',
    [started, ...toCommitted],
    'tidy stage:s1 lock measure activate:s1 await commit:s1 tidy',
    'Idle s1/s1',
  ],
  [
    'meets a release without a switch when its system runs already',
    [started, found(1, 's0')],
    'tidy tidy',
    'Idle s0/s0',
  ],
  [
    'does nothing about the same release twice',
    [started, found(1, 's0'), found(1, 's0')],
    'tidy tidy',
    'Idle s0/s0',
  ],
  ['ignores an older release', [started, found(5, 's0'), found(4)], 'tidy tidy', 'Idle s0/s0'],
  [
    'goes back when the activation fails',
    [started, ...toTesting, done(1), ...wentBack],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'goes back when the activation is lost, hangs or never begins',
    [
      started,
      ...toTesting,
      lost,
      ...wentBack,
      found(2),
      staged(2),
      locked(2),
      measured,
      activating,
      deadline('activation'),
      ...wentBack,
      found(3),
      staged(3),
      locked(3),
      measured,
      lost,
      ...wentBack,
    ],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy stage:s2 lock measure ' +
      'activate:s2 await revert:s0 tidy stage:s3 lock measure activate:s3 revert:s0 tidy',
    'Reverted s0/s0, rejected r1 r2 r3',
  ],
  [
    'S02: a failed round starts the count again, and enough passes in a row commit',
    [started, ...toProbes, probed(true), probed(false), ...healthy, committed],
    'tidy stage:s1 lock measure activate:s1 await commit:s1 tidy',
    'Idle s1/s1',
  ],
  [
    'S02: what flaps until the window ends goes back',
    [
      started,
      ...toProbes,
      probed(true),
      probed(false),
      probed(true),
      deadline('probes'),
      ...wentBack,
    ],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'S07: never tries a rejected release again, not even after a reboot',
    [started, ...toTesting, done(1), ...wentBack, found(1), reboot(), found(1)],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'tries a newer release with the path of a rejected one',
    [started, ...toTesting, done(1), ...wentBack, found(2, 's1'), staged(2)],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy stage:s1 lock',
    'Staged s0/s0, rejected r1',
  ],
  [
    'tries a rejected release again when a person says so',
    [started, ...toTesting, done(1), ...wentBack, reconcile(), reconcile(true)],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy tidy poll stage:s1 poll',
    'Verified s0/s0',
  ],
  [
    'S06: holds when the way back fails, and takes up no release by itself',
    [started, ...toTesting, done(1), reverted(false), found(2), reboot(), found(3)],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy',
    'Held s0/s0, rejected r1',
  ],
  [
    'S06: holds when the old system is not healthy any more',
    [started, ...toTesting, done(1), reverted(true), probed(false), deadline('fallback')],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy',
    'Held s0/s0, rejected r1',
  ],
  [
    'leaves Held when a person asks, through the committed system',
    [started, ...toTesting, done(1), reverted(false), reconcile(false, 's1'), reverted(true)],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy revert:s0 poll tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'waits longer and longer while a release cannot be fetched',
    [
      started,
      found(1),
      failed('transient'),
      { kind: 'retry', key: 'digest-1' },
      failed('transient'),
      { kind: 'retry', key: 'digest-1' },
      failed('host'),
    ],
    'tidy stage:s1 retry:2000 stage:s1 retry:4000 stage:s1 retry:8000',
    'Verified s0/s0',
  ],
  [
    'remembers a release whose closure is wrong',
    [started, found(1), failed('rejected'), found(1)],
    'tidy stage:s1 tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'a newer release takes the place of one that is not switched to yet',
    [started, found(1), staged(1), found(2), staged(1), staged(2)],
    'tidy stage:s1 lock stage:s2 lock',
    'Staged s0/s0',
  ],
  [
    'a newer release that wants what runs ends the work',
    [started, found(1), staged(1), found(2, 's0'), locked(1)],
    'tidy stage:s1 lock tidy',
    'Idle s0/s0',
  ],
  [
    'a newer release waits until the attempt under way has ended',
    [started, ...toProbes, found(2), ...healthy, committed],
    'tidy stage:s1 lock measure activate:s1 await commit:s1 stage:s2',
    'Verified s1/s1',
  ],
  [
    'a release found on the way back gets its turn then',
    [started, ...toTesting, done(1), found(2), ...wentBack],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 stage:s2',
    'Verified s0/s0, rejected r1',
  ],
  [
    'goes back when the profile cannot be moved',
    [
      started,
      ...toProbes,
      ...healthy,
      ({ attempt }) => ({ kind: 'commitFailed', attempt, code: 'no-space', message: 'full' }),
      ...wentBack,
    ],
    'tidy stage:s1 lock measure activate:s1 await commit:s1 revert:s0 tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'D04: a restarted agent finds the result of the activation that went on without it',
    [started, ...toTesting, restart('s0', 's1'), done(0), ...healthy, committed],
    'tidy stage:s1 lock measure activate:s1 await await commit:s1 tidy',
    'Idle s1/s1',
  ],
  [
    'a restarted agent repeats the effect of its step, whatever the step',
    [
      started,
      found(1),
      restart(),
      staged(1),
      restart(),
      locked(1),
      restart(),
      measured,
      restart(),
      activating,
      done(0),
      restart('s0', 's1'),
      ...healthy,
      restart('s0', 's1'),
      committed,
    ],
    'tidy stage:s1 stage:s1 lock lock measure measure activate:s1 activate:s1 await ' +
      'commit:s1 commit:s1 tidy',
    'Idle s1/s1',
  ],
  [
    'a power cut during the test is a way back, and the release is tried again',
    [started, ...toProbes, reboot(), staged(1)],
    'tidy stage:s1 lock measure activate:s1 await stage:s1 lock',
    'Staged s0/s0',
  ],
  [
    'S05: power cuts in three attempts make a release remembered',
    [started, ...toProbes, reboot(), ...toTesting, reboot(), ...toArmed, reboot(), found(1)],
    'tidy stage:s1 lock measure activate:s1 await stage:s1 lock measure activate:s1 await ' +
      'stage:s1 lock measure activate:s1 tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'a power cut after the profile was moved is a commit',
    [started, ...toProbes, ...healthy, reboot('s1')],
    'tidy stage:s1 lock measure activate:s1 await commit:s1 tidy',
    'Idle s1/s1',
  ],
  [
    'a power cut before the profile was moved is not',
    [started, ...toProbes, ...healthy, reboot('s0')],
    'tidy stage:s1 lock measure activate:s1 await commit:s1 stage:s1',
    'Verified s0/s0',
  ],
  [
    'a power cut on the way back has arrived there',
    [started, ...toTesting, done(1), reboot()],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'puts right what runs beside the committed system, at every start',
    [{ kind: 'started', reality: reality('s0', 'boot-1', 's9'), limits }, reverted(true)],
    'revert:s0 tidy',
    'Idle s0/s0',
  ],
  [
    'takes over a profile that somebody else moved, and converges again',
    [started, ...toCommitted, reboot('s9'), staged(1)],
    'tidy stage:s1 lock measure activate:s1 await commit:s1 tidy stage:s1 lock',
    'Staged s9/s9',
  ],
  [
    'rolls back to the older generation and remembers the release as refused by a person',
    [
      started,
      ...toCommitted,
      rollback,
      measured,
      activating,
      done(0),
      ...healthy,
      committed,
      found(1),
    ],
    'tidy stage:s1 lock measure activate:s1 await commit:s1 tidy measure activate:s0 await ' +
      'commit:s0 tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'breaks off a test when a person rolls back',
    [started, ...toProbes, rollback, ...wentBack],
    'tidy stage:s1 lock measure activate:s1 await revert:s0 tidy',
    'Reverted s0/s0, rejected r1',
  ],
  [
    'publishing an older path again as a new release rolls back',
    [
      started,
      ...toCommitted,
      found(2, 's0'),
      staged(2),
      locked(2),
      measured,
      activating,
      done(0),
      ...healthy,
      committed,
    ],
    'tidy stage:s1 lock measure activate:s1 await commit:s1 tidy stage:s0 lock measure ' +
      'activate:s0 await commit:s0 tidy',
    'Idle s0/s0',
  ],
  [
    'H13: a release that expired before its turn is not installed',
    [
      started,
      found(1),
      staged(1),
      locked(1),
      teller => void teller.skip(31 * 86_400_000),
      measured,
    ],
    'tidy stage:s1 lock measure tidy',
    'Idle s0/s0',
  ],
]

for (const [name, lines, trace, end] of cases) {
  test(name, () => {
    const teller = new Teller()
    for (const line of lines) {
      const said = typeof line === 'function' ? line(teller) : line
      if (said !== undefined) teller.tell(said)
    }
    assert.deepEqual([teller.trace(), outcome(teller.state)], [trace, end])
  })
}

test('a host that never ran anything stays without a system when its first one fails', () => {
  const teller = new Teller()
  teller.tell({ kind: 'started', reality: { bootId: 'boot-1' }, limits })
  for (const line of [...toTesting, done(1)]) {
    const said = typeof line === 'function' ? line(teller) : line
    if (said !== undefined) teller.tell(said)
  }
  assert.equal(outcome(teller.state), 'Reverted -/-, rejected r1')
})

test('an event that does not belong to the step changes nothing', () => {
  const teller = new Teller()
  const foreign: Said[] = [
    { kind: 'staged', key: 'digest-9' },
    { kind: 'locked', key: 'digest-9' },
    { kind: 'measured', key: 'digest-9', baseline: {} },
    { kind: 'activating', attempt: 'x' },
    { kind: 'activationDone', attempt: 'x', exitCode: 0, output: '' },
    { kind: 'activationLost', attempt: 'x', message: '' },
    { kind: 'probed', attempt: 'x', round: 1, healthy: true, failures: [] },
    { kind: 'deadline', attempt: 'x', of: 'probes' },
    { kind: 'committed', attempt: 'x', generation: 9 },
    { kind: 'commitFailed', attempt: 'x', code: 'c', message: 'm' },
    { kind: 'reverted', attempt: 'x', ok: false, message: '' },
    { kind: 'retry', key: 'digest-9' },
    { kind: 'delayed', key: 'digest-9', code: 'c', message: 'm' },
    { kind: 'unchanged' },
  ]
  for (const line of [started, ...toProbes, ...healthy, committed]) {
    const said = typeof line === 'function' ? line(teller) : line
    teller.tell(said!)
    for (const other of foreign) {
      const [state, effects] = decide(teller.state, { ...other, at: START_MS } as Event)
      assert.equal(state, teller.state, `${other.kind} in ${teller.state.step.phase}`)
      assert.deepEqual(effects, [])
    }
  }
})

test('the answer of one probe round is taken once', () => {
  const teller = new Teller()
  for (const line of [started, ...toProbes]) {
    teller.tell((typeof line === 'function' ? line(teller) : line)!)
  }
  const answer = (probed(true) as (teller: Teller) => Said)(teller)
  teller.tell(answer)
  const once = teller.state
  teller.tell(answer)
  assert.equal(teller.state, once)
})

test('at most 32 rejections are kept, the newest', () => {
  const teller = new Teller(initialState())
  teller.tell(started)
  for (let version = 1; version <= 40; version += 1) {
    teller.tell(found(version))
    teller.tell({ ...failed('rejected'), key: `digest-${version}` } as Said)
  }
  assert.equal(teller.state.rejected.length, 32)
  assert.equal(teller.state.rejected.at(-1)?.release.version, 40)
})
