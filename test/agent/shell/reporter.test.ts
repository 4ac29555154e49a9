import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  decodeCredential,
  decodeEnrol,
  decodeReport,
  enrolMessage,
  keyFingerprint,
  reportMessage,
  type SentReport,
  verifyByHostKey,
} from '../../../agent/codec/report-envelope.ts'
import { openReporter } from '../../../agent/shell/reporter.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { until } from '../../support/until.ts'
import { someStatus } from './some-status.ts'

type Taken = { reports: SentReport[]; publicKey: string }

test('enrols with its own key, forgets the token, and signs every report', async t => {
  const taken: Taken = { reports: [], publicKey: '' }
  const { url } = await serve(t, controller(taken))
  const { reporter, state } = open(t, { url, token: 'join' })
  reporter.report(someStatus({ phase: 'Staged' }))
  await until(() => taken.reports.length > 0)
  const seed = JSON.parse(readFileSync(join(state, 'seed.json'), 'utf8'))
  assert.deepEqual(seed.controller, { url })
  assert.equal(statSync(join(state, 'host.key')).mode & 0o777, 0o600)
  assert.equal(taken.reports[0]!.status.phase, 'Staged')
  assert.deepEqual(
    taken.reports[0]!.history.map(change => change.phase),
    ['Staged'],
  )
})

test('tells a controller that was away what happened, over a restart of the agent too', async t => {
  const taken: Taken = { reports: [], publicKey: '' }
  const down = await serve(t, (_, response) => response.writeHead(503).end())
  const first = open(t, { url: down.url })
  first.reporter.report(someStatus({ phase: 'Staged' }))
  first.reporter.report(someStatus({ phase: 'Testing' }))
  await first.reporter.close()
  const up = await serve(t, controller(taken))
  const second = open(t, { url: up.url }, first.state)
  second.reporter.report(someStatus({ phase: 'Committed' }))
  await until(() => taken.reports.length > 0)
  const history = taken.reports[0]!.history
  assert.deepEqual(
    history.map(change => change.phase),
    ['Staged', 'Testing', 'Committed'],
  )
  assert.ok(history.every((change, index) => index === 0 || change.id > history[index - 1]!.id))
})

test('keeps its counter growing over restarts, even with the clock set back', async t => {
  const taken: Taken = { reports: [], publicKey: '' }
  const { url } = await serve(t, controller(taken))
  const ahead = 2 ** 50
  const { reporter, state } = open(t, { url }, undefined, ahead)
  reporter.report(someStatus({}))
  await until(() => taken.reports.length === 1)
  await reporter.close()
  const again = open(t, { url }, state)
  again.reporter.report(someStatus({ phase: 'Held' }))
  await until(() => taken.reports.length === 2)
  assert.ok(taken.reports[0]!.counter > ahead)
  assert.ok(taken.reports[1]!.counter > taken.reports[0]!.counter)
})

test('says nothing where the seed names no controller', async t => {
  const { reporter } = open(t, undefined)
  reporter.report(someStatus({}))
  await reporter.close()
})

const garbage: [name: string, answer: RequestListener][] = [
  ['HTML with status 200', (_, response) => response.end('<html>log in</html>')],
  ['a server error', (_, response) => response.writeHead(500).end('oops')],
  [
    'a redirect',
    (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  ],
  ['an endless body', (_, response) => flood(response)],
  ['a million brackets', (_, response) => response.end('['.repeat(1_000_000))],
  ['a hang after the headers', (_, response) => response.writeHead(200).write('{')],
  ['a cut connection', (_, response) => response.destroy()],
  ['a counter beyond all counting', (_, response) => replayed(response, 2 ** 53 - 1)],
  ['a yes to another report', (_, response) => response.end('{"taken":1}')],
]
for (const [name, answer] of garbage) {
  test(`C03 takes no harm from ${name}`, async t => {
    let requests = 0
    const { url } = await serve(t, (request, response) => {
      requests += 1
      answer(request, response)
    })
    const { reporter, state } = open(t, { url, token: 'join' })
    reporter.report(someStatus({}))
    await until(() => requests > 0)
    await new Promise(resolve => setTimeout(resolve, 50))
    await reporter.close()
    assert.match(readFileSync(join(state, 'seed.json'), 'utf8'), /"join"/)
    assert.equal(JSON.parse(readFileSync(join(state, 'report.queue'), 'utf8')).length, 1)
  })
}

function open(
  t: TestContext,
  controller: { url: string; token?: string } | undefined,
  given?: string,
  counter = 0,
) {
  const state = given ?? temporaryDirectory(t)
  const seed = {
    fleet: 'demo',
    host: 'web-1',
    channel: 'prod',
    root: { version: 1, sha256: '0'.repeat(64) },
    sources: [],
    ...(controller && { controller }),
  }
  writeFileSync(join(state, 'seed.json'), JSON.stringify(seed))
  if (counter > 0) writeFileSync(join(state, 'report.counter'), String(counter))
  const log = { info() {}, warn() {} }
  const reporter = openReporter({
    seed,
    stateDirectory: state,
    log,
    intervalSeconds: 30,
    storePath: '/',
  })
  t.after(() => reporter.close())
  return { reporter, state }
}

/** A small controller of its own kind: it checks the signatures and remembers what came. */
function controller(taken: Taken): RequestListener {
  return async (request, response) => {
    const body = await bodyOf(request)
    const credential = decodeCredential(request.headers.authorization)
    if (request.url === '/v1/enrol') {
      const { proof, ...rest } = decodeEnrol(body)
      const signature = Buffer.from(proof, 'base64')
      assert.ok(verifyByHostKey(rest.publicKey, enrolMessage(rest), signature))
      taken.publicKey = rest.publicKey
      const { fleet, host, publicKey } = rest
      response.end(JSON.stringify({ enrolled: { fleet, host, key: keyFingerprint(publicKey) } }))
      return
    }
    if (taken.publicKey !== '') {
      assert.equal(credential?.fingerprint, keyFingerprint(taken.publicKey))
      assert.ok(verifyByHostKey(taken.publicKey, reportMessage(body), credential!.signature))
    }
    const report = decodeReport(body)
    taken.reports.push(report)
    response.end(JSON.stringify({ taken: report.counter }))
  }
}

async function serve(t: TestContext, listener: RequestListener): Promise<{ url: string }> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await request.toArray())
}

function flood(response: ServerResponse): void {
  const block = Buffer.alloc(65536, 0x20)
  const more = () => {
    while (!response.destroyed && response.write(block)) {}
  }
  response.on('drain', more).on('error', () => {})
  more()
}

function replayed(response: ServerResponse, counter: number): void {
  response.writeHead(409).end(JSON.stringify({ error: { code: 'replayed', counter } }))
}
