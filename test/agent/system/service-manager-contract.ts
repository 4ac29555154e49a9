/** What every ServiceManager does, run against each: see plain-services.test.ts and test/system. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import {
  hasFailed,
  type LoadedUnit,
  type ServiceManager,
} from '../../../agent/system/service-manager.ts'
import { until } from '../../support/until.ts'

/** One manager with a place for units; names are unique, so that tests may share a manager. */
export type Bench = {
  services: ServiceManager
  /** A folder for what services write. */
  scratch: string
  /** Writes a unit file and has it read. */
  define(name: string, lines: string[]): Promise<void>
  /** Process id of a service, 0 when it has none. */
  mainPid(name: string): Promise<number>
}

export function serviceManagerContract(kind: string, open: (t: TestContext) => Promise<Bench>) {
  let count = 0
  const unit = (name: string) => {
    count += 1
    return `contract-${name}-${count}.service`
  }

  describe(`the ${kind} service manager`, () => {
    test('starts a service once, lists it with its file, and stops it', async t => {
      const bench = await open(t)
      const name = unit('simple')
      await bench.define(name, ['ExecStart=/bin/sleep 1000'])
      assert.equal(await stateOf(bench, name), undefined)
      assert.deepEqual(await bench.services.start([name]), [])
      const listed = (await listOf(bench, name))!
      assert.deepEqual([listed.active, listed.sub], ['active', 'running'])
      assert.equal(listed.fragment, `/etc/systemd/system/${name}`)
      const pid = await bench.mainPid(name)
      assert.deepEqual(await bench.services.start([name]), [])
      assert.equal(await bench.mainPid(name), pid)
      assert.deepEqual(await bench.services.stop([name]), [])
      assert.equal(existsSync(`/proc/${pid}`), false)
      assert.notEqual(await stateOf(bench, name), 'active')
      assert.deepEqual(await bench.services.stop([name]), [])
    })

    test('gives a restarted service another process, and starts one that does not run', async t => {
      const bench = await open(t)
      const name = unit('restart')
      await bench.define(name, ['ExecStart=/bin/sleep 1000'])
      assert.deepEqual(await bench.services.restart([name]), [])
      const pid = await bench.mainPid(name)
      assert.deepEqual(await bench.services.restart([name]), [])
      assert.notEqual(await bench.mainPid(name), pid)
      assert.equal(existsSync(`/proc/${pid}`), false)
      await bench.services.stop([name])
    })

    test('reloads by ExecReload=, with the process kept', async t => {
      const bench = await open(t)
      const name = unit('reload')
      const mark = join(bench.scratch, name)
      await bench.define(name, [
        'ExecStart=/bin/sleep 1000',
        `ExecReload=/bin/sh -c "echo $MAINPID > ${mark}"`,
      ])
      await bench.services.start([name])
      const pid = await bench.mainPid(name)
      assert.deepEqual(await bench.services.reload([name]), [])
      assert.equal(readFileSync(mark, 'utf8'), `${pid}\n`)
      assert.equal(await bench.mainPid(name), pid)
      await bench.services.stop([name])
    })

    test('says which reload failed', async t => {
      const bench = await open(t)
      const name = unit('noreload')
      await bench.define(name, ['ExecStart=/bin/sleep 1000', 'ExecReload=/bin/false'])
      await bench.services.start([name])
      assert.deepEqual(
        (await bench.services.reload([name])).map(failure => failure.unit),
        [name],
      )
      assert.equal(await stateOf(bench, name), 'active')
      await bench.services.stop([name])
    })

    test('keeps that a service failed until that is reset', async t => {
      const bench = await open(t)
      const name = unit('fails')
      await bench.define(name, ['ExecStart=/bin/sh -c "exit 3"'])
      await bench.services.start([name])
      await until(async () => (await stateOf(bench, name)) === 'failed')
      const listed = (await listOf(bench, name))!
      assert.equal(listed.exitCode, 3)
      assert.equal(hasFailed(listed), true)
      await bench.services.readUnitsAgain()
      assert.equal(await stateOf(bench, name), 'failed')
      await bench.services.resetFailed([name, 'contract-none.service'])
      assert.notEqual(await stateOf(bench, name), 'failed')
    })

    test('counts a service as failed that is tried again and again', async t => {
      const bench = await open(t)
      const name = unit('loops')
      const lines = ['ExecStart=/bin/sh -c "exit 4"', 'Restart=on-failure', 'RestartSec=1min']
      await bench.define(name, lines)
      await bench.services.start([name])
      await until(async () => (await listOf(bench, name))?.sub === 'auto-restart')
      assert.equal(hasFailed((await listOf(bench, name))!), true)
      assert.deepEqual(await bench.services.stop([name]), [])
    })

    test('brings a service back that was killed, where it asks for that', async t => {
      const bench = await open(t)
      const name = unit('back')
      await bench.define(name, ['ExecStart=/bin/sleep 1000', 'Restart=on-failure'])
      await bench.services.start([name])
      const pid = await bench.mainPid(name)
      process.kill(pid, 'SIGKILL')
      await until(async () => ![0, pid].includes(await bench.mainPid(name)))
      assert.deepEqual(await bench.services.stop([name]), [])
    })

    test('waits for a oneshot, says when one failed, starts the others', async t => {
      const bench = await open(t)
      const [good, bad, other] = [unit('good'), unit('bad'), unit('other')] as const
      const mark = join(bench.scratch, good)
      const once = ['Type=oneshot', 'RemainAfterExit=yes']
      await bench.define(good, [
        ...once,
        'ExecStart=/bin/sleep 0.3',
        `ExecStart=/bin/sh -c "echo done > ${mark}"`,
      ])
      await bench.define(bad, [...once, 'ExecStart=/bin/sh -c "exit 7"'])
      await bench.define(other, ['ExecStart=/bin/sleep 1000'])
      const failures = await bench.services.start([bad, good, other])
      assert.deepEqual(
        failures.map(failure => failure.unit),
        [bad],
      )
      assert.equal(existsSync(mark), true)
      assert.deepEqual(
        [await stateOf(bench, good), await stateOf(bench, bad)],
        ['active', 'failed'],
      )
      assert.equal(await stateOf(bench, other), 'active')
      await bench.services.stop([good, other])
    })

    test('names a unit that is not there', async t => {
      const bench = await open(t)
      const failures = await bench.services.start(['contract-none.service'])
      assert.deepEqual(
        failures.map(failure => failure.unit),
        ['contract-none.service'],
      )
    })

    test('stops a service that will not stop, and all that it started', async t => {
      const bench = await open(t)
      const name = unit('stubborn')
      const script = join(bench.scratch, `${name}.sh`)
      const child = join(bench.scratch, `${name}.pid`)
      const text = `trap '' TERM\nsleep 1000 & echo $! > ${child}\nwhile :; do sleep 0.1; done\n`
      writeFileSync(script, text)
      await bench.define(name, [`ExecStart=/bin/sh ${script}`, 'TimeoutStopSec=1'])
      await bench.services.start([name])
      await until(() => existsSync(child) && readFileSync(child, 'utf8').endsWith('\n'))
      assert.deepEqual(await bench.services.stop([name]), [])
      const pid = readFileSync(child, 'utf8').trim()
      await until(() => !isRunning(pid))
    })

    test('takes a new definition when it reads the files again', async t => {
      const bench = await open(t)
      const name = unit('redefined')
      const mark = join(bench.scratch, name)
      await bench.define(name, ['ExecStart=/bin/sleep 1000'])
      await bench.services.start([name])
      const exec = `ExecStart=/bin/sh -c "echo $TEXT > ${mark}; exec sleep 1000"`
      await bench.define(name, [`Environment="TEXT=two words"`, exec])
      assert.equal(await stateOf(bench, name), 'active')
      assert.deepEqual(await bench.services.restart([name]), [])
      await until(() => existsSync(mark) && readFileSync(mark, 'utf8') === 'two words\n')
      await bench.services.stop([name])
    })
  })
}

async function listOf(bench: Bench, name: string): Promise<LoadedUnit | undefined> {
  return (await bench.services.list()).find(one => one.name === name)
}

/** Undefined and `inactive` are the same: systemd unloads what nobody needs when it likes. */
async function stateOf(bench: Bench, name: string): Promise<string | undefined> {
  const active = (await listOf(bench, name))?.active
  return active === 'inactive' ? undefined : active
}

function isRunning(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
