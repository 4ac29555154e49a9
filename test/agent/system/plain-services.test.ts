import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readRecord, writeRecord } from '../../../agent/system/plain-record.ts'
import { plainServices } from '../../../agent/system/plain-services.ts'
import { expand, splitWords } from '../../../agent/system/plain-unit.ts'
import { isAlive, signalProcess } from '../../../agent/system/process-identity.ts'
import { agentProgram } from '../../support/agent-program.ts'
import { plainRoot } from '../../support/plain-system.ts'
import { until } from '../../support/until.ts'
import { type Bench, serviceManagerContract } from './service-manager-contract.ts'

serviceManagerContract('plain', async t => plainBench(t))

test('a service outlives the supervisor that was killed, and is stopped all the same', async t => {
  const { services, define, scratch } = plainBench(t)
  await define('web.service', ['ExecStart=/bin/sleep 1000'])
  await services.start(['web.service'])
  const { supervisor, main } = readRecord(scratch, 'web.service')!
  signalProcess(supervisor, 'SIGKILL')
  await until(() => !isAlive(supervisor))
  const web = async () => (await services.list()).find(unit => unit.name === 'web.service')
  assert.equal((await web())?.active, 'active')
  assert.deepEqual(await services.stop(['web.service']), [])
  assert.equal(isAlive(main!), false)
  assert.equal(await web(), undefined)
})

test('D04: a pid that another process has by now neither runs nor is signalled', async t => {
  const { services, scratch } = plainBench(t)
  const boot = { pid: process.pid, startTicks: 1, boot: 'other' }
  const record = { unit: 'web.service', active: 'active', sub: 'running', exitCode: 0 } as const
  const kernel = (await import('../../../agent/system/process-identity.ts')).kernelBootId()
  const reused = { ...boot, boot: kernel }
  writeRecord(scratch, { ...record, boot: kernel, supervisor: reused, main: reused })
  const web = (await services.list()).find(unit => unit.name === 'web.service')
  assert.equal(web?.active, 'failed')
  assert.deepEqual(await services.stop(['web.service']), []) // This process is still here.
  writeRecord(scratch, { ...record, boot: 'other', supervisor: boot, main: boot })
  assert.equal(readRecord(scratch, 'web.service'), undefined)
})

test('a service whose name looks like an option is a service', async t => {
  const { services, define } = plainBench(t)
  await define('-rf.service', ['ExecStart=/bin/sleep 1000'])
  assert.deepEqual(await services.start(['-rf.service']), [])
  assert.deepEqual(await services.stop(['-rf.service']), [])
})

test('what needs systemd says so, and the agent itself is never started', async t => {
  const { services, define } = plainBench(t)
  await define('bus.service', ['Type=dbus', 'ExecStart=/bin/sleep 1000'])
  await define('holdfast-agent.service', ['ExecStart=/bin/sleep 1000'])
  assert.deepEqual(await services.start(['bus.service', 'holdfast-agent.service', 'a.socket']), [
    {
      unit: 'bus.service',
      message: 'Type=dbus needs systemd; here services are simple or oneshot',
    },
  ])
})

const lines: [line: string, words: string[]][] = [
  ['/bin/a b  c', ['/bin/a', 'b', 'c']],
  [`/bin/a "b c" 'd "e' ""`, ['/bin/a', 'b c', 'd "e', '']],
  ['/bin/a b\\x20c \\s "q\\"r"', ['/bin/a', 'b c', ' ', 'q"r']],
]
for (const [line, words] of lines) {
  test(`splits ${line}`, () => assert.deepEqual(splitWords(line), words))
}

test('expands variables as systemd does: words of their own, or inside a word', () => {
  const environment = { A: 'one two', B: '3' }
  assert.deepEqual(expand(['$A', ['x$', '{A}y'].join(''), '$B', '$NONE', '$$B'], environment), [
    'one',
    'two',
    'xone twoy',
    '3',
    '$B',
  ])
})

function plainBench(t: TestContext): Bench {
  const root = plainRoot(t)
  const services = plainServices({ prefix: root, command: agentProgram })
  mkdirSync(join(root, 'etc/systemd/system'), { recursive: true })
  return {
    services,
    scratch: root,
    async define(name, lines) {
      const path = join(root, 'etc/systemd/system', name)
      writeFileSync(path, `[Service]\n${lines.join('\n')}\n`)
      await services.readUnitsAgain()
    },
    async mainPid(name) {
      const main = readRecord(root, name)?.main
      return main !== undefined && isAlive(main) ? main.pid : 0
    },
  }
}
