import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { takeBaseline } from '../../../agent/system/baseline.ts'
import { plainServices } from '../../../agent/system/plain-services.ts'
import { type ProbeOptions, runProbes } from '../../../agent/system/probes.ts'
import { agentProgram } from '../../support/agent-program.ts'
import { makeSystem, plainRoot, service } from '../../support/plain-system.ts'
import { until } from '../../support/until.ts'

test('a system without probes on a host without trouble is healthy', async t => {
  const { healthy, failures } = await round(t, {})
  assert.deepEqual(failures, [])
  assert.equal(healthy, true)
})

test('http: the wanted status passes, another names both, interim ones do not count', async t => {
  const port = await listen(
    t,
    createHttpServer((request, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' })
      response.writeHead(request.url === '/bad' ? 500 : request.url === '/moved' ? 302 : 200)
      response.end('x'.repeat(100_000))
    }),
  )
  const url = `http://127.0.0.1:${port}`
  const { failures } = await round(t, {
    good: { kind: 'http', url: `${url}/` },
    bad: { kind: 'http', url: `${url}/bad` },
    moved: { kind: 'http', url: `${url}/moved`, status: 302 },
  })
  assert.deepEqual(failures, [
    { probe: 'bad', code: 'probe-failed', message: `http ${url}/bad answered 500, wanted 200` },
  ])
})

test('http: no server, no HTTP and no answer are failures with their reason', async t => {
  const garbage = await listen(
    t,
    createServer(socket => socket.end('220 mail ready\r\n')),
  )
  const closing = await listen(
    t,
    createServer(socket => socket.destroy()),
  )
  const free = await listen(t, createServer())
  const messages = await messagesOf(t, {
    a: { kind: 'http', url: `http://127.0.0.1:${garbage}/` },
    b: { kind: 'http', url: `http://127.0.0.1:${closing}/` },
    c: { kind: 'http', url: `http://127.0.0.1:1/` },
    d: { kind: 'tcp', host: '127.0.0.1', port: free },
    e: { kind: 'tcp', host: '127.0.0.1', port: 1 },
  })
  assert.match(messages.a!, /its answer is not HTTP$/)
  assert.match(messages.b!, /cannot be asked/)
  assert.match(messages.c!, /ECONNREFUSED/)
  assert.equal(messages.d, undefined)
  assert.match(messages.e!, /^tcp 127\.0\.0\.1:1 cannot be connected to: .*ECONNREFUSED/)
})

test('https: a server that does not speak TLS, or is never heard of, is a failure', async t => {
  const plain = await listen(
    t,
    createServer(socket => socket.end('no TLS here\r\n')),
  )
  const messages = await messagesOf(t, {
    a: { kind: 'http', url: `https://127.0.0.1:${plain}/` },
    b: { kind: 'http', url: 'https://127.0.0.1:1/' },
  })
  assert.match(messages.a!, /cannot be asked/)
  assert.match(messages.b!, /ECONNREFUSED/)
})

test('S02: what hangs has failed at its own limit, and exec leaves no process behind', async t => {
  const port = await listen(
    t,
    createServer(socket => socket.on('error', () => undefined)),
  )
  const root = plainRoot(t)
  const mark = join(root, 'mark')
  const started = Date.now()
  const { failures } = await round(t, {
    http: { kind: 'http', url: `http://127.0.0.1:${port}/`, timeoutSeconds: 1 },
    exec: {
      kind: 'exec',
      command: ['/bin/sh', '-c', `(sleep 2; touch ${mark}) & wait`],
      timeoutSeconds: 1,
    },
  })
  assert.deepEqual(failures, [
    { probe: 'exec', code: 'probe-timeout', message: 'exec has no answer after 1 s' },
    { probe: 'http', code: 'probe-timeout', message: 'http has no answer after 1 s' },
  ])
  await new Promise(resolve => setTimeout(resolve, 2_200 - (Date.now() - started)))
  assert.equal(existsSync(mark), false)
})

test('exec: the exit code and the last words are in the message', async t => {
  const messages = await messagesOf(t, {
    good: { kind: 'exec', command: ['/bin/true'] },
    bad: { kind: 'exec', command: ['/bin/sh', '-c', 'echo disk is bad >&2; exit 3'] },
    none: { kind: 'exec', command: ['/nonexistent/program'] },
  })
  assert.deepEqual(Object.keys(messages), ['bad', 'none'])
  assert.match(messages.bad!, /ended with 3: disk is bad$/)
  assert.match(messages.none!, /cannot be started: .*ENOENT/)
})

test('exec: the program comes from the store of the root', async t => {
  const root = plainRoot(t)
  const tool = makeSystem(root, 'tool', { etc: {}, own: { 'check.txt': 'here' } })
  const system = makeSystem(root, 'probed', {
    etc: {},
    own: health({ store: { kind: 'exec', command: ['/bin/cat', `${tool}/check.txt`] } }),
  })
  assert.deepEqual((await runProbes(probing(root, system))).failures, [])
})

test('a probe file that is none is a failure, not a probe less', async t => {
  const root = plainRoot(t)
  const system = makeSystem(root, 'odd', { etc: {}, own: { 'health/x.json': '{"kind":"http"}' } })
  const { healthy, failures } = await runProbes(probing(root, system))
  assert.equal(healthy, false)
  assert.equal(failures[0]?.code, 'probe-file')
})

test('a probe file that is a pipe, a directory, too large or elsewhere is a failure', async t => {
  const root = plainRoot(t)
  const system = makeSystem(root, 'odd', { etc: {}, own: health({}) })
  const folder = join(root, system, 'health')
  mkdirSync(join(folder, 'directory.json'), { recursive: true })
  mkdirSync(join(root, 'dev'))
  execFileSync('mkfifo', [join(root, 'dev/pipe')])
  symlinkSync('/dev/pipe', join(folder, 'pipe.json'))
  symlinkSync('../'.repeat(root.split('/').length + 5).concat('dev/zero'), join(folder, 'up.json'))
  writeFileSync(join(folder, 'large.json'), ' '.repeat(65 * 1024))
  const { failures } = await runProbes(probing(root, system))
  assert.deepEqual(
    failures.map(({ probe, code }) => [probe, code]),
    ['directory', 'large', 'pipe', 'up'].map(name => [`${name}.json`, 'probe-file']),
  )
})

test('a health folder that is none is a failure, and no fault of the agent', async t => {
  const root = plainRoot(t)
  const file = makeSystem(root, 'file', { etc: {}, own: { health: '' } })
  const loop = makeSystem(root, 'loop', { etc: {} })
  symlinkSync('health', join(root, loop, 'health'))
  for (const system of [file, loop]) {
    const { healthy, failures } = await runProbes(probing(root, system))
    assert.equal(healthy, false)
    assert.equal(failures[0]?.code, 'probe-file')
  }
})

test('units: one that failed before is not counted, one that failed since is', async t => {
  const root = plainRoot(t)
  const etc = { ...service('old.service', '/bin/false'), ...service('new.service', '/bin/false') }
  const system = makeSystem(root, 'failing', {
    etc,
    own: health({ unit: { kind: 'unit', unit: 'new.service' } }),
  })
  const { activateEtc } = await import('../../../agent/system/etc-activation.ts')
  activateEtc({ prefix: root, etc: `${system}-etc` })
  const services = plainServices({ prefix: root, command: agentProgram })
  const failed = async (name: string) =>
    (await services.list()).some(unit => unit.name === name && unit.active === 'failed')
  await services.start(['old.service'])
  await until(() => failed('old.service'))
  const baseline = await takeBaseline({ prefix: root, sources: [], services })
  assert.deepEqual(baseline, { failedUnits: ['old.service'], reachableSources: [] })
  await services.start(['new.service'])
  await until(() => failed('new.service'))
  const { failures } = await runProbes({ ...probing(root, system), baseline })
  assert.deepEqual(
    failures.map(({ code, message }) => [code, message]),
    [
      ['unit-failed', 'unit new.service has failed (failed), and had not before the switch'],
      ['probe-failed', 'unit new.service is failed (failed), wanted active'],
    ],
  )
})

test('S03: no source answers any more, and one did before: a failure', async t => {
  const { failures } = await round(t, {}, { reachable: ['git'], answers: false })
  assert.deepEqual(failures, [
    {
      probe: 'source',
      code: 'source-lost',
      message: 'no source can be reached, and before the switch could be: git',
    },
  ])
})

test('S04: a source that could not be reached before is not asked for', async t => {
  assert.deepEqual((await round(t, {}, { reachable: [], answers: false })).failures, [])
  assert.deepEqual((await round(t, {}, { reachable: ['git'], answers: true })).failures, [])
})

test('giving up ends the round at once', async t => {
  const root = plainRoot(t)
  const own = health({ slow: { kind: 'exec', command: ['/bin/sleep', '60'], timeoutSeconds: 60 } })
  const system = makeSystem(root, 'slow', { etc: {}, own })
  const signal = AbortSignal.timeout(300)
  const { failures } = await runProbes({ ...probing(root, system), signal })
  assert.equal(failures[0]?.message, 'slow was given up')
})

function probing(root: string, system: string): ProbeOptions {
  const baseline = { failedUnits: [], reachableSources: [] }
  const checkSource = async () => true
  const services = plainServices({ prefix: root, command: agentProgram })
  const signal = new AbortController().signal
  return { prefix: root, system, baseline, checkSource, services, signal }
}

async function round(
  t: TestContext,
  probes: Record<string, object>,
  source: { reachable: string[]; answers: boolean } = { reachable: [], answers: true },
) {
  const root = plainRoot(t)
  const system = makeSystem(root, 'probed', { etc: {}, own: health(probes) })
  const baseline = { failedUnits: [], reachableSources: source.reachable }
  return await runProbes({
    ...probing(root, system),
    baseline,
    checkSource: async () => source.answers,
  })
}

async function messagesOf(t: TestContext, probes: Record<string, object>) {
  const { failures } = await round(t, probes)
  return Object.fromEntries(failures.map(({ probe, message }) => [probe, message]))
}

function health(probes: Record<string, object>): Record<string, string> {
  const files = Object.entries(probes).map(([name, probe]) => [
    `health/${name}.json`,
    JSON.stringify(probe),
  ])
  return Object.fromEntries(files)
}

async function listen(t: TestContext, server: Server): Promise<number> {
  t.after(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
