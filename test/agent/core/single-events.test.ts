import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../../agent/core/decide.ts'
import type { Event } from '../../../agent/core/event.ts'
import { initialState } from '../../../agent/core/state.ts'
import {
  committed,
  done,
  failed,
  found,
  healthy,
  probed,
  started,
  tellAll,
  toProbes,
  toTesting,
} from './lines.ts'
import { limits, outcome, type Said, START_MS, Teller } from './world.ts'

test('a host that never ran anything stays without a system when its first one fails', () => {
  const teller = new Teller()
  teller.tell({ kind: 'started', reality: { bootId: 'boot-1' }, limits })
  tellAll(teller, [...toTesting, done(1)])
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
    tellAll(teller, [line])
    for (const other of foreign) {
      const [state, effects] = decide(teller.state, { ...other, at: START_MS } as Event)
      assert.equal(state, teller.state, `${other.kind} in ${teller.state.step.phase}`)
      assert.deepEqual(effects, [])
    }
  }
})

test('the answer of one probe round is taken once', () => {
  const teller = new Teller()
  tellAll(teller, [started, ...toProbes])
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
