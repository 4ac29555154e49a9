import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { readRecord } from '../../../agent/system/plain-record.ts'
import { readProfile } from '../../../agent/system/profile.ts'
import { runningSystem } from '../../../agent/system/running.ts'
import { readMarker } from '../../../agent/system/switch-marker.ts'
import { agentProgram } from '../../support/agent-program.ts'
import { makeSystem, plainRoot, service } from '../../support/plain-system.ts'
import { until } from '../../support/until.ts'

const sleeper = '/bin/sleep 1000'

describe('switch-to-configuration in a plain root', { concurrency: 4 }, () => {
  test('stops what went, starts what came, restarts what changed, leaves the rest', async t => {
    const root = plainRoot(t)
    const one = makeSystem(root, 'one', {
      etc: {
        ...service('same.service', sleeper),
        ...service('changed.service', sleeper),
        ...service('gone.service', sleeper),
      },
    })
    const two = makeSystem(root, 'two', {
      etc: {
        ...service('same.service', sleeper),
        ...service('changed.service', `${sleeper}.5`),
        ...service('new.service', sleeper),
      },
    })
    assert.equal((await run(root, 'switch', one)).status, 0)
    const before = pids(root)
    assert.deepEqual(Object.keys(before), ['changed.service', 'gone.service', 'same.service'])
    assert.equal(readProfile(root)?.system, one)

    const done = await run(root, 'test', two)
    assert.equal(done.status, 0, done.stderr)
    const after = pids(root)
    assert.deepEqual(Object.keys(after), ['changed.service', 'new.service', 'same.service'])
    assert.equal(after['same.service'], before['same.service'])
    assert.notEqual(after['changed.service'], before['changed.service'])
    assert.equal(runningSystem(root), two)
    assert.equal(readProfile(root)?.system, one, 'test does not commit')
    assert.match(readlinkSync(join(root, 'etc/static')), /two-etc$/)
    assert.equal(readMarker(root), undefined)
  })

  test('dry-activate says what would happen and does nothing', async t => {
    const root = plainRoot(t)
    const one = makeSystem(root, 'one', { etc: service('web.service', sleeper) })
    const done = await run(root, 'dry-activate', one)
    assert.equal(done.status, 0)
    assert.equal(done.stderr, 'would start: web.service\n')
    assert.equal(existsSync(join(root, 'etc/static')), false)
    assert.equal(runningSystem(root), undefined)
  })

  test('boot makes a system the committed one and touches no service', async t => {
    const root = plainRoot(t)
    const one = makeSystem(root, 'one', { etc: service('web.service', sleeper) })
    assert.equal((await run(root, 'boot', one)).status, 0)
    assert.equal(readProfile(root)?.system, one)
    assert.deepEqual(pids(root), {})
  })

  test('a unit that cannot start makes it 4, and the system runs all the same', async t => {
    const root = plainRoot(t)
    const one = makeSystem(root, 'one', {
      etc: { ...service('bad.service', '/bin/false'), ...service('good.service', sleeper) },
    })
    const done = await run(root, 'switch', one)
    assert.equal(done.status, 4)
    assert.match(done.stderr, /failed: bad\.service: /)
    assert.deepEqual(Object.keys(pids(root)), ['good.service'])
    assert.equal(runningSystem(root), one)
    assert.equal(readProfile(root), undefined, 'what failed is not committed')
  })

  test('a unit that asks for it is reloaded, and keeps its process', async t => {
    const root = plainRoot(t)
    const mark = join(root, 'reloaded')
    const lines = (text: string) => [
      'X-ReloadIfChanged=yes',
      `Environment=TEXT=${text}`,
      `ExecReload=/bin/sh -c "echo $TEXT > ${mark}"`,
    ]
    const one = makeSystem(root, 'one', { etc: service('web.service', sleeper, lines('a')) })
    const two = makeSystem(root, 'two', { etc: service('web.service', sleeper, lines('b')) })
    assert.equal((await run(root, 'test', one)).status, 0)
    const before = pids(root)
    assert.equal((await run(root, 'test', two)).status, 0)
    assert.deepEqual(pids(root), before)
    assert.equal(readFileSync(mark, 'utf8'), 'b\n')
  })

  test('a second switch at the same time is refused with switch-busy', async t => {
    const root = plainRoot(t)
    const slow = makeSystem(root, 'slow', {
      etc: service('slow.service', '/bin/sleep 5', ['Type=oneshot']),
    })
    const first = spawn(agentProgram[0]!, words(root, 'test', slow), { stdio: 'ignore' })
    t.after(() => first.kill('SIGKILL'))
    await until(() => readMarker(root) !== undefined)
    const second = await run(root, 'test', slow)
    assert.equal(second.status, 2)
    assert.match(second.stderr, /\[switch-busy\]/)
  })

  /** Places where the switch is made to wait, so that the kill comes exactly there. */
  const cuts: [name: string, unit: string, lines: (text: string) => string[]][] = [
    ['stopping', 'gate.service', text => [`Environment=TEXT=${text}`, 'TimeoutStopSec=1']],
    [
      'reloading, with /etc moved',
      'gate.service',
      text => [
        `Environment=TEXT=${text}`,
        'X-ReloadIfChanged=yes',
        'ExecReload=/bin/sleep 2',
        'TimeoutStopSec=1',
      ],
    ],
  ]
  const stubborn = `/bin/sh -c "trap '' TERM; while :; do sleep 0.1; done"`

  for (const [name, gate, lines] of cuts) {
    for (const next of ['old', 'new'] as const) {
      test(`cut off while ${name}, a run of the ${next} system brings everything up`, async t => {
        const root = plainRoot(t)
        const one = makeSystem(root, 'one', {
          etc: {
            ...service(gate, stubborn, lines('a')),
            ...service('web.service', sleeper),
            ...service('gone.service', sleeper),
          },
        })
        const two = makeSystem(root, 'two', {
          etc: {
            ...service(gate, stubborn, lines('b')),
            ...service('web.service', `${sleeper}.5`),
            ...service('new.service', sleeper),
          },
        })
        assert.equal((await run(root, 'test', one)).status, 0)
        const child = spawn(agentProgram[0]!, words(root, 'test', two), { stdio: 'ignore' })
        const dead = new Promise(resolve => child.once('exit', resolve))
        await until(() => readRecord(root, 'web.service') === undefined)
        child.kill('SIGKILL')
        await dead
        assert.equal(runningSystem(root), one)
        assert.deepEqual(readMarker(root)?.systems, [one, two])

        const last = next === 'old' ? one : two
        const done = await run(root, 'test', last)
        assert.equal(done.status, 0, done.stderr)
        assert.equal(runningSystem(root), last)
        assert.equal(readMarker(root), undefined)
        const other = next === 'old' ? 'gone.service' : 'new.service'
        assert.deepEqual(Object.keys(pids(root)), [gate, other, 'web.service'].sort())
        const wanted = next === 'old' ? '/bin/sleep 1000 ' : '/bin/sleep 1000.5 '
        assert.equal(commandLine(root, 'web.service'), wanted)
      })
    }
  }
})

function commandLine(root: string, unit: string): string {
  const pid = readRecord(root, unit)?.main?.pid
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
}

/** Main processes by unit, of those that run. */
function pids(root: string): Record<string, number> {
  const names = ['bad', 'changed', 'gate', 'gone', 'good', 'new', 'same', 'web'].map(
    name => `${name}.service`,
  )
  return Object.fromEntries(
    names.flatMap(name => {
      const record = readRecord(root, name)
      return record?.active === 'active' && record.main ? [[name, record.main.pid]] : []
    }),
  )
}

function words(root: string, action: string, system: string): string[] {
  return [
    ...agentProgram.slice(1),
    ...['layout', 'switch-to-configuration', action, '--prefix', root, '--system', system],
  ]
}

async function run(root: string, action: string, system: string) {
  const child = spawn(agentProgram[0]!, words(root, action, system))
  const [stderr, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  return { status: status as number | null, stderr }
}
