import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Phase } from '../../agent/codec/report.ts'
import {
  advanceHost,
  type Observation,
  outcomeOf,
  rolloutOutcome,
  type SeenOutcome,
} from '../../controller/rollout.ts'
import type { RolloutOutcome } from '../../controller/storage.ts'
import { committed, enrolled, going, testController, wentBack } from './controller-fixture.ts'

const outcomes: [phase: Phase, synced: boolean, code: string | undefined, outcome: string][] = [
  ['Idle', true, undefined, 'Committed'],
  ['Idle', false, undefined, 'Pending'],
  ['Idle', false, 'probe', 'RolledBack'],
  ['Verified', false, undefined, 'Progressing'],
  ['Testing', false, undefined, 'Progressing'],
  ['Reverting', false, undefined, 'Progressing'],
  ['Reverted', false, 'probe', 'RolledBack'],
  ['Committed', true, undefined, 'Committed'],
  ['Held', false, undefined, 'Held'],
]
for (const [phase, synced, code, outcome] of outcomes) {
  test(`${phase}, ${synced ? 'synced' : 'not synced'}, ${code ?? 'no reason'}: ${outcome}`, () => {
    assert.equal(outcomeOf(seen(phase, { synced, ...(code && { code }) })), outcome)
  })
}

const ends: [before: RolloutOutcome, hosts: SeenOutcome[], after: RolloutOutcome][] = [
  ['Progressing', ['Committed', 'Progressing'], 'Progressing'],
  ['Progressing', ['RolledBack', 'Pending'], 'Progressing'],
  ['Progressing', ['Committed', 'Committed'], 'Succeeded'],
  ['Progressing', ['Committed', 'Offline'], 'Succeeded'],
  ['Progressing', ['Offline', 'Offline'], 'Progressing'],
  ['Progressing', ['Committed', 'RolledBack'], 'Failed'],
  ['Progressing', ['Committed', 'Held'], 'Failed'],
  ['Succeeded', ['Committed', 'Progressing'], 'Succeeded'],
  ['Succeeded', ['Committed', 'RolledBack'], 'Failed'],
  ['Failed', ['Committed', 'Progressing'], 'Failed'],
  ['Failed', ['Committed', 'Committed'], 'Succeeded'],
  ['Superseded', ['Committed'], 'Superseded'],
  ['Progressing', [], 'Progressing'],
]
for (const [before, hosts, after] of ends) {
  test(`${before} with ${hosts.join(', ') || 'nobody'} is ${after}`, () => {
    assert.equal(rolloutOutcome(before, hosts), after)
  })
}

test('a host that committed stays so while it looks again, and not once it went back', () => {
  const done = advanceHost(undefined, seen('Committed', { synced: true }), 'web')
  assert.equal(advanceHost(done, seen('Verified'), 'web').outcome, 'Committed')
  assert.equal(advanceHost(done, seen('Reverted'), 'web').outcome, 'RolledBack')
})

test('a rollout goes through all hosts of the channel and ends when the last one has', async t => {
  const controller = await testController(t)
  const [one, two] = [await enrolled(controller, 'web-1'), await enrolled(controller, 'web-2')]
  await one.report(committed(2))
  await two.report(committed(2))
  await one.report(going(3, 'Testing'))
  await one.report(committed(3))
  const halfway = await controller.client.latestRollout()
  assert.deepEqual({ ...halfway.counts }, { Committed: 1, Pending: 1 })
  assert.equal(halfway.outcome, 'Progressing')
  await two.report(committed(3))
  assert.equal((await controller.client.latestRollout()).outcome, 'Succeeded')
})

test('a host that went back fails the rollout; only what has not ended is superseded', async t => {
  const controller = await testController(t)
  const host = await enrolled(controller, 'web-1')
  await host.report(committed(2))
  await host.report(going(3, 'Testing'))
  await host.report(wentBack(3))
  const failed = await controller.client.latestRollout()
  assert.deepEqual([failed.outcome, failed.hosts[0]?.code], ['Failed', 'probe'])
  await host.report(going(4, 'Staged'))
  await host.report(going(5, 'Staged'))
  const all = await controller.client.rollouts()
  assert.deepEqual(
    all.map(({ version, outcome }) => [version, outcome]),
    [
      [5, 'Progressing'],
      [4, 'Superseded'],
      [3, 'Failed'],
      [2, 'Succeeded'],
    ],
  )
})

test('what happened while the controller was away is in the history, once', async t => {
  const controller = await testController(t)
  const host = await enrolled(controller, 'web-1')
  await host.report(committed(2))
  const history = [going(3, 'Testing'), wentBack(3), going(4, 'Testing')].map((status, index) => {
    const { phase = 'Idle', release, rejected } = status
    const at = new Date(Date.now() - 60_000 + index * 1000).toISOString()
    const code = rejected?.[0]?.code
    const base = { id: index + 1, at, phase, synced: false, health: 'Unknown' as const }
    return { ...base, ...(release && { release }), ...(code && { code }) }
  })
  await host.report(committed(4), { history })
  await host.report(committed(4), { history })
  const rollouts = await controller.client.rollouts()
  assert.deepEqual(
    rollouts.map(({ version, hosts }) => [version, hosts[0]?.outcome]),
    [
      [4, 'Committed'],
      [3, 'RolledBack'],
      [2, 'Committed'],
    ],
  )
  const { events } = await controller.fleet.eventsAfter(0, 100)
  const phases = events.filter(event => event.kind === 'host.phase').map(event => event.to)
  assert.deepEqual(phases, ['Committed', 'Testing', 'Reverted', 'Testing', 'Committed'])
})

function seen(phase: Phase, changes: Partial<Observation> = {}): Observation {
  const at = '2026-01-01T00:00:00.000Z'
  return { at, phase, synced: false, health: 'Unknown', ...changes }
}
