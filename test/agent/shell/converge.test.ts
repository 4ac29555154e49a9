import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Status } from '../../../agent/codec/report.ts'
import { removeTree } from '../../../agent/store/staging.ts'
import { readLayout } from '../../../agent/system/layout-file.ts'
import { readRecord } from '../../../agent/system/plain-record.ts'
import { holdfastAgent, PlainOperator, startAgent, statusOf } from '../../support/plain-operator.ts'
import { plainRoot } from '../../support/plain-system.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { until } from '../../support/until.ts'

const service = {
  'systemd/system/steady.service': '[Service]\nExecStart=/bin/sleep infinity\n',
  'systemd/system/multi-user.target.wants/steady.service': '-> ../steady.service',
}

test('a host follows its releases, goes back from a bad one, and does as people ask', async t => {
  const operator = new PlainOperator(temporaryDirectory(t))
  const prefix = plainRoot(t)
  operator.seed(prefix)
  const [first, second, bad] = [
    operator.system('s1', { etc: service }),
    operator.system('s2', { etc: service }),
    operator.system('s3', { etc: service, health: ['/bin/false'] }),
  ]
  const releaseName = () => readFileSync(join(prefix, 'etc/release-name'), 'utf8').trim()
  await operator.publish(1, first)

  const ran = await holdfastAgent('run', '--prefix', prefix, '--once', '-o', 'json')
  const status = JSON.parse(ran.stdout) as Status
  assert.deepEqual([ran.exit, status.phase, status.generation], [0, 'Idle', 1], ran.stderr)
  assert.equal(status.running, first)

  await operator.publish(2, second)
  const agent = startAgent(t, prefix)
  await until(async () => (await statusOf(prefix))?.committed === second)
  assert.equal(statSync(join(prefix, 'run/holdfast/agent.sock')).mode & 0o777, 0o600)
  assert.equal(statSync(join(prefix, 'run/holdfast')).mode & 0o777, 0o700)

  const another = await holdfastAgent('run', '--prefix', prefix)
  assert.match(another.stderr, /second agent.*\[state-busy\]/)
  assert.equal(another.exit, 1)

  await operator.publish(3, bad)
  const waited = await holdfastAgent('reconcile', '--prefix', prefix, '--wait', '-o', 'json')
  const reverted = JSON.parse(waited.stdout) as Status
  assert.deepEqual([waited.exit, reverted.phase, reverted.running], [1, 'Reverted', second])
  assert.deepEqual(
    reverted.rejected.map(({ release, code }) => [release.version, code]),
    [[3, 'unhealthy']],
  )

  const rollback = await holdfastAgent('rollback', '--prefix', prefix)
  assert.equal(rollback.exit, 0, rollback.stderr)
  await until(async () => {
    const now = await statusOf(prefix)
    return now?.committed === first && now.phase === 'Reverted'
  })
  assert.equal(releaseName(), 's1')

  agent.kill('SIGTERM')
  const [code] = await once(agent, 'exit')
  assert.equal(code, 0)
  const nobody = await holdfastAgent('status', '--prefix', prefix)
  assert.deepEqual([nobody.exit, /\[no-agent\]/.test(nobody.stderr)], [2, true])
  assert.ok(readRecord(prefix, 'steady.service'), 'services outlive the agent')
})

const wrong: [name: string, config: object, message: RegExp][] = [
  ['an unknown key', { pol: {} }, /"pol" in .*agent\.json.*\[config\]/],
  ['a cron expression that is none', { poll: { cron: '99 * * * * *' } }, /poll\.cron.*\[config\]/],
]
for (const [name, config, message] of wrong) {
  test(`refuses ${name} before anything is done`, async t => {
    const operator = new PlainOperator(temporaryDirectory(t))
    const prefix = plainRoot(t)
    operator.seed(prefix, config)
    const { exit, stderr } = await holdfastAgent('run', '--prefix', prefix)
    assert.match(stderr, message)
    assert.equal(exit, 2)
  })
}

test('a stored root that is damaged is read from the source again', async t => {
  const operator = new PlainOperator(temporaryDirectory(t))
  const prefix = plainRoot(t)
  operator.seed(prefix)
  await operator.publish(1, operator.system('s1'))
  await holdfastAgent('run', '--prefix', prefix, '--once')
  const root = join(prefix, 'var/lib/holdfast/roots/1.json')
  const before = readFileSync(root)
  truncateSync(root, 100)
  const { stdout, stderr } = await holdfastAgent('run', '--prefix', prefix, '--once', '-o', 'json')
  const { phase, sources } = JSON.parse(stdout) as Status
  assert.deepEqual([phase, sources[0]?.ok], ['Idle', true], stderr)
  assert.match(stderr, /roots\.damaged/)
  assert.deepEqual(readFileSync(root), before)
})

test('a registered path that is gone from the disk is fetched before the switch', async t => {
  const operator = new PlainOperator(temporaryDirectory(t))
  const prefix = plainRoot(t)
  operator.seed(prefix)
  const [first, second] = [operator.system('s1'), operator.system('s2')]
  for (const [version, system] of [first, second].entries()) {
    await operator.publish(version + 1, system)
    await holdfastAgent('run', '--prefix', prefix, '--once')
  }
  const { etc } = readLayout(prefix, first)
  removeTree(join(prefix, etc))
  await operator.publish(3, first)
  const { exit, stderr } = await holdfastAgent('run', '--prefix', prefix, '--once')
  assert.equal(exit, 0, stderr)
  assert.equal(readFileSync(join(prefix, 'etc/release-name'), 'utf8'), 's1\n')
})

test('says what to do when there is no seed', async t => {
  const { exit, stderr } = await holdfastAgent('run', '--prefix', plainRoot(t))
  assert.match(stderr, /seed\.json.*\[config\]\n.*--seed=FILE/)
  assert.equal(exit, 2)
})

test('a damaged seed is named with its place', async t => {
  const prefix = plainRoot(t)
  mkdirSync(join(prefix, 'var/lib/holdfast'), { recursive: true })
  writeFileSync(join(prefix, 'var/lib/holdfast/seed.json'), '{"type": 7')
  const { exit, stderr } = await holdfastAgent('run', '--prefix', prefix)
  assert.match(stderr, /seed\.json.*line 1.*\[config\]/)
  assert.equal(exit, 2)
})
