import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openSqliteStorage } from '../../controller/sqlite-storage.ts'
import { EVENTS_MAX, ROLLOUTS_MAX, type Storage } from '../../controller/storage.ts'
import { temporaryDirectory } from '../support/temporary.ts'

test('a transaction that fails changes nothing, and the others of its group stay', async t => {
  const storage = await open(t)
  const told: string[] = []
  storage.subscribe(event => told.push(event.host ?? ''))
  const add = (host: string, fails = false) =>
    storage.transaction(async tx => {
      await tx.addEvent({ kind: 'host.online', at: 1, host })
      if (fails) throw new Error(host)
    })
  const results = await Promise.allSettled([add('a'), add('b', true), add('c')])
  assert.deepEqual(
    results.map(result => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  const kept = await storage.transaction(tx => tx.eventsAfter(0, 10))
  assert.deepEqual(
    [kept.map(event => event.host), told],
    [
      ['a', 'c'],
      ['a', 'c'],
    ],
  )
})

test('what was committed is there again, and one process at a time has it', async t => {
  const directory = temporaryDirectory(t)
  const first = await openSqliteStorage(directory)
  const token = { hash: 'a', expiresAt: 5, usesLeft: 1 }
  await first.transaction(tx => tx.putToken(token), { durable: true })
  await assert.rejects(openSqliteStorage(directory), { code: 'state-busy' })
  await first.close()
  const second = await openSqliteStorage(directory)
  assert.deepEqual(await second.transaction(tx => tx.token('a')), token)
  await second.transaction(tx => tx.deleteTokensBefore(6))
  assert.equal(await second.transaction(tx => tx.token('a')), undefined)
  await second.close()
})

test('keeps a bounded number of events and rollouts, the newest', async t => {
  const storage = await open(t)
  await storage.transaction(async tx => {
    for (let at = 0; at < EVENTS_MAX + 10; at += 1) await tx.addEvent({ kind: 'host.online', at })
    for (let version = 0; version < ROLLOUTS_MAX + 10; version += 1) await put(tx, version)
  })
  const range = await storage.transaction(tx => tx.eventRange())
  assert.deepEqual(range, { first: 11, last: EVENTS_MAX + 10 })
  const rollouts = await storage.transaction(tx => tx.rollouts('prod'))
  assert.equal(rollouts.length, ROLLOUTS_MAX)
  assert.equal(rollouts[0]?.version, ROLLOUTS_MAX + 9)
})

async function put(tx: Parameters<Parameters<Storage['transaction']>[0]>[0], version: number) {
  const key = { channel: 'prod', epoch: 1, version }
  await tx.putRollout({
    ...key,
    outcome: 'Succeeded',
    startedAt: version,
    watched: false,
    hosts: [],
  })
}

async function open(t: TestContext): Promise<Storage> {
  const storage = await openSqliteStorage(temporaryDirectory(t))
  t.after(() => storage.close())
  return storage
}
