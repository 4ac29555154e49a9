import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import {
  activationResult,
  startActivation,
  stopActivation,
} from '../../../agent/system/activation.ts'
import { readStart } from '../../../agent/system/activation-record.ts'
import { isAlive, signalProcess } from '../../../agent/system/process-identity.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { until } from '../../support/until.ts'

const system = `/nix/store/${'a'.repeat(32)}-system`
const program = join(import.meta.dirname, 'activation-program.ts')

describe('an activation in a process group of its own', { concurrency: 4 }, () => {
  test('is done with its exit code and the last of its words', async t => {
    const place = await start(t, 'good')
    assert.deepEqual(await outcome(place), { state: 'done', exitCode: 0, output: 'all is well\n' })
    const folder = join(place.prefix, 'var/lib/holdfast/activations')
    assert.deepEqual(readdirSync(folder).sort(), ['a1.json', 'a1.started'])
  })

  test('S01: exits 1', async t => {
    const place = await start(t, 'fails')
    assert.deepEqual(await outcome(place), {
      state: 'done',
      exitCode: 1,
      output: 'it went wrong\n',
    })
  })

  test('S01: hangs, deaf to SIGTERM, and is ended by its deadline', async t => {
    const place = await start(t, 'stubborn', { deadlineSeconds: 1 })
    assert.deepEqual(await outcome(place), {
      state: 'done',
      exitCode: 124,
      output: 'ended by its deadline of 1 s\n',
    })
    assert.equal(isAlive(readStart(place)!.child!), false)
  })

  test('S01: forks; what it left behind is ended and holds nothing up', async t => {
    const place = await start(t, 'forks')
    assert.deepEqual(await outcome(place), { state: 'done', exitCode: 0, output: 'forked\n' })
    await new Promise(resolve => setTimeout(resolve, 3_500))
    assert.equal(readFileSync(place.log, 'utf8'), 'run\n')
  })

  test('S01: is killed by somebody: its exit code says so', async t => {
    const place = await start(t, 'hangs')
    await until(() => readStart(place)?.child !== undefined)
    signalProcess(readStart(place)!.child!, 'SIGKILL')
    assert.deepEqual(await outcome(place), { state: 'done', exitCode: 137, output: '' })
  })

  test('D04: killed with its wrapper it is lost, but not while it still switches', async t => {
    const place = await start(t, 'hangs')
    await until(() => readStart(place)?.child !== undefined)
    const { wrapper, child } = readStart(place)!
    signalProcess(wrapper, 'SIGKILL')
    await until(() => !isAlive(wrapper))
    assert.deepEqual(await activationResult(place), { state: 'running' })
    signalProcess(child!, 'SIGKILL', true)
    await until(async () => (await activationResult(place)).state === 'lost')
  })

  test('D04: outlives the process that started it, and is found again by another', async t => {
    const place = placeOf(t)
    const url = join(import.meta.dirname, '../../../agent/system/activation.ts')
    const options = { ...optionsOf(place), command: commandOf('good', place.log) }
    const script = `
      const { startActivation } = await import(${JSON.stringify(url)})
      await startActivation(${JSON.stringify(options)})
      process.kill(process.pid, 'SIGKILL')`
    const done = spawnSync(process.execPath, ['--input-type=module', '-e', script])
    assert.equal(done.signal, 'SIGKILL', done.stderr.toString())
    assert.equal((await outcome(place)).state, 'done')
  })

  test('one name runs once, however often and whenever it is started', async t => {
    const place = placeOf(t)
    const options = { ...optionsOf(place), command: commandOf('good', place.log) }
    await Promise.all([1, 2, 3].map(() => startActivation(options)))
    await outcome(place)
    await startActivation(options)
    await new Promise(resolve => setTimeout(resolve, 500))
    assert.equal(readFileSync(place.log, 'utf8'), 'run\n')
  })

  test('once lost, it stays lost and does not run again', async t => {
    const place = await start(t, 'hangs')
    await until(() => existsSync(place.log))
    const { wrapper, child } = readStart(place)!
    signalProcess(wrapper, 'SIGKILL')
    signalProcess(child!, 'SIGKILL')
    await until(async () => (await activationResult(place)).state === 'lost')
    await startActivation({ ...optionsOf(place), command: commandOf('good', place.log) })
    assert.deepEqual(await activationResult(place), { state: 'lost' })
    assert.equal(readFileSync(place.log, 'utf8'), 'run\n')
  })

  test('stopping ends it with all its processes, however stubborn', async t => {
    const place = await start(t, 'stubborn')
    await until(() => existsSync(place.log))
    const { child, wrapper } = readStart(place)!
    await stopActivation(place)
    assert.equal(isAlive(wrapper), false)
    assert.equal(child === undefined || isAlive(child), false)
    const state = await activationResult(place)
    assert.equal(state.state === 'done' && state.exitCode, 143)
    await stopActivation(place)
  })

  test('keeps only the end of what is said', async t => {
    const place = await start(t, 'talks')
    const done = await outcome(place)
    assert.ok(done.state === 'done' && done.output.length === 8192 && done.output.endsWith('end'))
  })

  test('one that was never started is lost, and a name that is a path is refused', async t => {
    const prefix = temporaryDirectory(t)
    assert.deepEqual(await activationResult({ prefix, attempt: 'a9' }), { state: 'lost' })
    await assert.rejects(activationResult({ prefix, attempt: '../../etc/x' }), {
      code: 'activation',
    })
  })

  test('a program that cannot be started is an error that says so', async t => {
    const place = placeOf(t)
    const options = { ...optionsOf(place), command: ['/nonexistent/agent'] }
    await assert.rejects(startActivation(options), { code: 'activation', message: /ENOENT/ })
    assert.deepEqual(await activationResult(place), { state: 'lost' })
  })
})

type Place = { prefix: string; attempt: string; log: string }

function placeOf(t: TestContext): Place {
  const prefix = temporaryDirectory(t)
  mkdirSync(join(prefix, 'run'))
  const place = { prefix, attempt: 'a1', log: join(prefix, 'log') }
  t.after(async () => {
    await stopActivation(place)
    rmSync(prefix, { recursive: true, force: true })
  })
  return place
}

function optionsOf(place: Place) {
  const { prefix, attempt } = place
  return { prefix, attempt, system, action: 'test' as const, deadlineSeconds: 60 }
}

/** The behaviour travels as variables, since the wrapper starts this very command again. */
function commandOf(behaviour: string, log: string): string[] {
  return ['/usr/bin/env', `SWITCH=${behaviour}`, `SWITCH_LOG=${log}`, process.execPath, program]
}

async function start(
  t: TestContext,
  behaviour: string,
  changes: { deadlineSeconds?: number } = {},
) {
  const place = placeOf(t)
  const command = commandOf(behaviour, place.log)
  await startActivation({ ...optionsOf(place), ...changes, command })
  return place
}

async function outcome(place: Place) {
  await until(async () => (await activationResult(place)).state !== 'running')
  return await activationResult(place)
}
