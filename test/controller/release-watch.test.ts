import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Release, SignedDocument, Target } from '../../agent/codec/documents.ts'
import { watchReleases } from '../../controller/release-watch.ts'
import {
  firstRoot,
  pinOf,
  releaseKey,
  releaseOf,
  rootKey,
  signedRelease,
  target,
} from '../support/fleet.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'
import { committed, enrolled, quiet, system, testController } from './controller-fixture.ts'

test('knows a release, its hosts and who is behind without a single report of it', async t => {
  const controller = await testController(t)
  const host = await enrolled(controller, 'web-1')
  await host.report(committed(2))
  const { publish } = watchDirectory(t, controller.fleet)
  publish(releaseFor(3, ['web-1', 'web-2']))
  await until(async () => (await controller.client.latestRollout()).version === 3)
  const rollout = await controller.client.latestRollout()
  assert.equal(rollout.watched, true)
  assert.deepEqual(
    rollout.hosts.map(({ host, outcome }) => [host, outcome]),
    [
      ['web-1', 'Pending'],
      ['web-2', 'Offline'],
    ],
  )
  const { sync, desired } = await controller.client.host('web-1')
  assert.deepEqual([sync, desired], ['OutOfSync', system(3)])
  await host.report(committed(3))
  assert.equal((await controller.client.latestRollout()).outcome, 'Succeeded')
})

test('a host that lies about a great version supersedes nothing', async t => {
  const controller = await testController(t)
  const host = await enrolled(controller, 'web-1')
  const { publish } = watchDirectory(t, controller.fleet)
  publish(releaseFor(3, ['web-1']))
  await until(async () => (await controller.client.rollouts()).length > 0)
  await host.report({ ...committed(9), release: { epoch: 99, version: 2 ** 50 } })
  const latest = await controller.client.latestRollout()
  assert.deepEqual([latest.version, latest.outcome], [3, 'Progressing'])
})

test('a release that no host would accept is not shown', async t => {
  const taken: number[] = []
  const fleet = { takeRelease: async (release: Release) => void taken.push(release.version) }
  const { publish, troubles } = watchDirectory(t, fleet)
  const forged: [code: string, document: SignedDocument][] = [
    ['quorum', signedRelease(releaseFor(3, ['web-1']), rootKey)],
    ['other-fleet', signedRelease({ ...releaseFor(4, []), channel: 'staging' }, releaseKey)],
    ['other-fleet', signedRelease({ ...releaseFor(5, []), epoch: 2 }, releaseKey)],
  ]
  for (const [code, document] of forged) {
    publish(document)
    await until(() => troubles.at(-1) === code)
  }
  publish(releaseFor(6, ['web-1']))
  await until(() => taken.length > 0)
  assert.deepEqual(taken, [6])
})

function releaseFor(version: number, hosts: string[]): Release {
  const entry = (host: string): [string, Target] => [host, { ...target, system: system(version) }]
  return releaseOf({ version, hosts: new Map(hosts.map(entry)) })
}

type Takes = Parameters<typeof watchReleases>[0]['fleet']

function watchDirectory(t: TestContext, fleet: Takes) {
  const directory = temporaryDirectory(t)
  mkdirSync(join(directory, 'root'))
  mkdirSync(join(directory, 'prod'))
  write(join(directory, 'root/1.json'), firstRoot)
  const troubles: string[] = []
  const log = { ...quiet, warn: (fields: object) => void troubles.push(codeIn(fields)) }
  const config = {
    fleet: 'demo',
    channel: 'prod',
    root: pinOf(firstRoot),
    sources: [{ directory }],
  }
  const scratch = temporaryDirectory(t)
  const watch = watchReleases({ config, fleet, log, scratch, intervalMs: 20 })
  t.after(() => watch.close())
  const publish = (release: Release | SignedDocument) => {
    const document = 'bytes' in release ? release : signedRelease(release, releaseKey)
    write(join(directory, 'prod/release.json'), document)
  }
  return { publish, troubles }
}

function codeIn(fields: object): string {
  return 'code' in fields ? String(fields.code) : ''
}

function write(path: string, { bytes, signatures }: SignedDocument): void {
  writeFileSync(`${path}.sig`, signatures)
  writeFileSync(path, bytes)
}
