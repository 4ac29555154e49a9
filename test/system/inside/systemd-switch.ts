/** Runs inside a container that systemd has booted: see service-manager.test.ts. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { before, test } from 'node:test'
import {
  type ActivationState,
  activationResult,
  startActivation,
} from '../../../agent/system/activation.ts'
import { takeBaseline } from '../../../agent/system/baseline.ts'
import { runProbes } from '../../../agent/system/probes.ts'
import { runningSystem } from '../../../agent/system/running.ts'
import { readMarker } from '../../../agent/system/switch-marker.ts'
import { systemctl } from '../../../agent/system/systemctl.ts'
import { agentProgram } from '../../support/agent-program.ts'
import { makeSystem, service } from '../../support/plain-system.ts'
import { until } from '../../support/until.ts'

const sleeper = '/bin/sleep 1000'
const agent = (text: string) =>
  service('holdfast-agent.service', sleeper, [`Environment=A=${text}`])

const one = makeSystem('/', 'one', {
  services: 'systemd',
  etc: {
    ...agent('1'),
    ...service('same.service', sleeper),
    ...service('web.service', sleeper),
    ...service('gone.service', sleeper),
    ...service('reloaded.service', sleeper, reloading('1')),
    'motd-of-test': 'one',
  },
})
const two = makeSystem('/', 'two', {
  services: 'systemd',
  etc: {
    ...agent('2'),
    ...service('same.service', sleeper),
    ...service('web.service', `${sleeper}.5`),
    ...service('new.service', sleeper),
    ...service('reloaded.service', sleeper, reloading('2')),
    'motd-of-test': 'two',
  },
})

before(() => mkdirSync('/run/test', { recursive: true }))

test('the first system starts what multi-user.target wants', async () => {
  assert.deepEqual(await activate(one), { state: 'done', exitCode: 0 })
  const up = ['gone', 'holdfast-agent', 'reloaded', 'same', 'web'].map(name => `${name}.service`)
  await until(async () => (await property('holdfast-agent.service', 'ActiveState')) === 'active')
  for (const name of up) assert.equal(await property(name, 'ActiveState'), 'active', name)
  const fragment = await property('web.service', 'FragmentPath')
  assert.equal(fragment, '/etc/systemd/system/web.service')
  assert.equal(readFileSync('/etc/motd-of-test', 'utf8'), 'one')
})

test('the next one stops, reloads, restarts and starts, and leaves the rest', async () => {
  const before = await pids('same', 'web', 'reloaded', 'holdfast-agent')
  assert.deepEqual(await activate(two), { state: 'done', exitCode: 0 })
  assert.equal(runningSystem('/'), two)
  assert.equal(readMarker('/'), undefined)
  // The agent is not waited for.
  await until(async () => ![0, before[3]].includes((await pids('holdfast-agent'))[0]))
  const after = await pids('same', 'web', 'reloaded', 'holdfast-agent')
  assert.deepEqual(
    after.map((pid, index) => pid === before[index]),
    [true, false, true, false],
  )
  assert.equal(readFileSync('/run/test/reloaded', 'utf8'), '2\n')
  assert.equal(await property('gone.service', 'ActiveState'), 'inactive')
  assert.equal(await property('new.service', 'ActiveState'), 'active')
  assert.equal(readFileSync('/etc/motd-of-test', 'utf8'), 'two')
})

test('the same system again touches nothing', async () => {
  const names = ['same', 'web', 'new', 'reloaded', 'holdfast-agent']
  const before = await pids(...names)
  assert.deepEqual(await activate(two), { state: 'done', exitCode: 0 })
  assert.deepEqual(await pids(...names), before)
})

test('a service that fails makes it 4, a probe round says which, the way back works', async () => {
  const bad = makeSystem('/', 'bad', {
    services: 'systemd',
    etc: {
      ...agent('2'),
      ...service('same.service', sleeper),
      ...service('web.service', '/bin/false'),
    },
  })
  const baseline = await takeBaseline({ prefix: '/', sources: [] })
  const before = await pids('same')
  const result = await activate(bad)
  assert.deepEqual(result, { state: 'done', exitCode: 4 })
  const signal = new AbortController().signal
  const probing = { prefix: '/', baseline, checkSource: async () => true, signal }
  const { failures } = await runProbes({ ...probing, system: bad })
  assert.deepEqual(
    failures.map(failure => failure.message),
    ['unit web.service has failed (failed), and had not before the switch'],
  )
  assert.deepEqual(await activate(two), { state: 'done', exitCode: 0 })
  assert.equal(await property('web.service', 'ActiveState'), 'active')
  assert.deepEqual(await pids('same'), before)
  assert.deepEqual((await runProbes({ ...probing, system: two })).failures, [])
})

test('S01: an activation that hangs is ended by its deadline, and the way back works', async () => {
  const hangs = makeSystem('/', 'hangs', {
    services: 'systemd',
    etc: { ...agent('2'), ...service('slow.service', '/bin/sleep 1000', ['Type=oneshot']) },
  })
  assert.deepEqual(await activate(hangs, 3), { state: 'done', exitCode: 124 })
  assert.notEqual(readMarker('/'), undefined)
  assert.deepEqual(await activate(two), { state: 'done', exitCode: 0 })
  assert.equal(await property('web.service', 'ActiveState'), 'active')
  assert.equal(await property('slow.service', 'ActiveState'), 'inactive')
  assert.equal(readMarker('/'), undefined)
})

test('D04: killed as a whole it is lost, and either way on converges', async () => {
  const gate = service('gate.service', '/bin/sleep 1000', ['Type=oneshot'])
  const cut = makeSystem('/', 'cut', {
    services: 'systemd',
    etc: { ...agent('2'), ...service('web.service', `${sleeper}.7`), ...gate },
  })
  for (const next of [one, two]) {
    assert.deepEqual(await activate(next === one ? two : one), { state: 'done', exitCode: 0 })
    const attempt = newAttempt()
    await startActivation({ prefix: '/', system: cut, attempt, ...common, deadlineSeconds: 60 })
    await until(async () => (await property('gate.service', 'ActiveState')) === 'activating')
    assert.deepEqual(await activationResult({ prefix: '/', attempt }), { state: 'running' })
    await systemctl(['kill', '--signal=KILL', `holdfast-switch-${attempt}.service`])
    await until(async () => (await activationResult({ prefix: '/', attempt })).state === 'lost')
    assert.deepEqual(await activate(next), { state: 'done', exitCode: 0 })
    for (const name of ['web', 'same', next === one ? 'gone' : 'new']) {
      assert.equal(await property(`${name}.service`, 'ActiveState'), 'active', name)
    }
    assert.equal(await property('gate.service', 'ActiveState'), 'inactive')
    assert.equal(runningSystem('/'), next)
  }
})

test('the activation does not die with the service that started it', async () => {
  const main = import.meta.filename.replace(/systemd-switch\.ts$/, 'starter.ts')
  assert.equal(existsSync(main), true)
  const target = runningSystem('/') === one ? two : one
  const attempt = newAttempt()
  const words = [...agentProgram.slice(0, 2), main, attempt, target]
  await systemctl(['stop', 'holdfast-agent.service'])
  const { runProgram } = await import('../../../agent/system/systemctl.ts')
  const started = await runProgram('systemd-run', ['--unit=starter', '--collect', ...words])
  assert.equal(started.exitCode, 0, started.stderr)
  await until(async () => (await activationResult({ prefix: '/', attempt })).state === 'done')
  assert.equal(runningSystem('/'), target)
})

const common = { action: 'test', command: agentProgram } as const
let attempts = 0

function newAttempt(): string {
  attempts += 1
  return `t${attempts}`
}

async function activate(
  system: string,
  deadlineSeconds = 60,
): Promise<Omit<ActivationState, 'output'>> {
  const attempt = newAttempt()
  await startActivation({ prefix: '/', system, attempt, ...common, deadlineSeconds })
  await until(
    async () => (await activationResult({ prefix: '/', attempt })).state !== 'running',
    60_000,
  )
  const result = await activationResult({ prefix: '/', attempt })
  if (result.state !== 'done') return result
  process.stderr.write(result.output)
  return { state: result.state, exitCode: result.exitCode } as Omit<ActivationState, 'output'>
}

function reloading(text: string): string[] {
  return [
    'X-ReloadIfChanged=yes',
    `Environment=TEXT=${text}`,
    'ExecReload=/bin/sh -c "echo $TEXT > /run/test/reloaded"',
  ]
}

async function property(unit: string, name: string): Promise<string> {
  return (await systemctl(['show', `--property=${name}`, '--value', unit])).stdout.trim()
}

async function pids(...names: string[]): Promise<number[]> {
  return await Promise.all(
    names.map(async name => Number(await property(`${name}.service`, 'MainPID'))),
  )
}
