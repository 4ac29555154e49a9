import assert from 'node:assert/strict'
import { statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeReport } from '../../agent/codec/report-envelope.ts'
import { openHostKey } from '../../agent/shell/host-key.ts'
import { startController } from '../../controller/server.ts'
import { someStatus } from '../agent/shell/some-status.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import {
  answerOf,
  committed,
  enrolled,
  going,
  quiet,
  TestHost,
  testController,
} from './controller-fixture.ts'

test('a join token enrols one host, once', async t => {
  const controller = await testController(t)
  const { token } = await controller.client.makeToken({ host: 'web-1' })
  const host = new TestHost(controller, 'web-1')
  assert.equal((await host.enrol(token)).status, 200)
  const second = new TestHost(controller, 'web-1')
  assert.equal((await second.enrol(token)).code, 'join-token')
})

test('a lost answer to an enrolment costs nothing: the same key gets the same yes', async t => {
  const controller = await testController(t)
  const { token } = await controller.client.makeToken({ host: 'web-1' })
  const host = new TestHost(controller, 'web-1')
  const [first, again] = [await host.enrol(token), await host.enrol(token)]
  assert.deepEqual(again, first)
})

test('a token enrols nobody else: no other name, no other key for a known name', async t => {
  const controller = await testController(t)
  const { token } = await controller.client.makeToken({ host: 'web-1' })
  const host = new TestHost(controller, 'web-2')
  assert.equal((await host.enrol(token)).code, 'join-token')
  assert.equal((await host.enrol('guessed')).code, 'join-token')
  await new TestHost(controller, 'web-1').enrol(token)
  const next = await controller.client.makeToken({ host: 'web-1' })
  const thief = new TestHost(controller, 'web-1')
  assert.equal((await thief.enrol(next.token)).code, 'already-enrolled')
})

test('an enrolment needs the key that it names, and the fleet of the controller', async t => {
  const controller = await testController(t, { fleet: 'demo' })
  const { token } = await controller.client.makeToken({ host: 'web-1' })
  const host = new TestHost(controller, 'web-1')
  const proof = Buffer.alloc(64).toString('base64')
  assert.equal((await host.enrol(token, { proof })).code, 'unauthorized')
  assert.equal((await host.enrol(token, { fleet: 'other' })).code, 'forbidden')
  assert.equal((await host.enrol(token)).status, 200)
})

test('C05 the key of one host cannot report for another', async t => {
  const controller = await testController(t)
  const host = await enrolled(controller, 'web-1')
  await enrolled(controller, 'web-2')
  const answer = await host.report({ host: 'web-2' })
  assert.deepEqual([answer.status, answer.code], [403, 'forbidden'])
  assert.equal((await controller.client.host('web-2')).health, 'Unknown')
})

test('C06 a replayed report is refused by its counter, and says where to go on', async t => {
  const controller = await testController(t)
  const host = await enrolled(controller, 'web-1')
  assert.equal((await host.report(committed(2), { counter: 7 })).status, 200)
  const replay = await host.report(going(3, 'Staged'), { counter: 7 })
  assert.deepEqual([replay.status, replay.code, replay.body.error?.counter], [409, 'replayed', 7])
  assert.equal((await controller.client.host('web-1')).phase, 'Committed')
})

test('a report by an unknown, a removed or a wrong key is not taken', async t => {
  const controller = await testController(t)
  const stranger = new TestHost(controller, 'web-9')
  assert.equal((await stranger.report({})).status, 401)
  const host = await enrolled(controller, 'web-1')
  const body = encodeReport({
    counter: 1,
    sentAt: '',
    intervalSeconds: 30,
    status: someStatus({}),
    history: [],
  })
  const forged = await host.send(body, openHostKey(temporaryDirectory(t)))
  assert.equal(forged.status, 401)
  await controller.client.deleteHost('web-1')
  assert.equal((await host.report({})).status, 401)
})

test('only the operator makes tokens and removes hosts; reading needs the token too', async t => {
  const { url } = await testController(t)
  const cases = [
    ['GET', '/v1/hosts'],
    ['GET', '/v1/events'],
    ['POST', '/v1/tokens'],
    ['DELETE', '/v1/hosts/web-1'],
  ]
  for (const [method = '', path] of cases) {
    assert.equal((await answerOf(fetch(url + path, { method }))).status, 401, path)
    const headers = { authorization: 'Bearer wrong' }
    assert.equal((await answerOf(fetch(url + path, { method, headers }))).status, 401, path)
  }
  assert.equal((await fetch(`${url}/healthz`)).status, 200)
})

test('with open reading nobody gets more than reading, and no name but an address', async t => {
  const { url } = await testController(t, { openRead: true })
  assert.equal((await fetch(`${url}/v1/hosts`)).status, 200)
  assert.equal((await fetch(`${url}/v1/tokens`, { method: 'POST', body: '{}' })).status, 401)
  const rebound = await raw(url, 'GET /v1/hosts HTTP/1.1\r\nHost: evil.example\r\n\r\n')
  assert.match(rebound, /^HTTP\/1\.1 401 /)
})

test('wrong credentials are not looked at for ever', async t => {
  const { url, client } = await testController(t)
  const wrong = () => fetch(`${url}/v1/hosts`, { headers: { authorization: 'Bearer no' } })
  for (let count = 0; count < 20; count += 1) await (await wrong()).text()
  assert.equal((await wrong()).status, 429)
  await assert.rejects(client.hosts(), { code: 'too-many-requests' })
})

test('bodies beyond their limit are refused, whether they say so or not', async t => {
  const { url, token } = await testController(t)
  const headers = { authorization: `Bearer ${token}` }
  const long = 'x'.repeat(10_000)
  const said = await answerOf(fetch(`${url}/v1/tokens`, { method: 'POST', headers, body: long }))
  assert.equal(said.code, 'too-large')
  const head = `POST /v1/tokens HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n`
  const chunk = `${long.length.toString(16)}\r\n${long}\r\n`
  const silent = await raw(url, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`)
  assert.match(silent, /^HTTP\/1\.1 413 /)
})

test('every answer carries the headers that keep a page apart', async t => {
  const { url } = await testController(t)
  for (const path of ['/', '/app.js', '/v1/hosts', '/nowhere']) {
    const { headers } = await fetch(url + path)
    assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'/, path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
  }
})

test('the operator token is made once, for its owner alone', async t => {
  const first = await testController(t)
  await first.close()
  const again = await testController(t, { directory: first.directory })
  assert.equal(again.token, first.token)
  assert.equal(statSync(join(first.directory, 'operator.token')).mode & 0o777, 0o600)
})

test('says what is wrong with an address or a state directory', async t => {
  const controller = await testController(t)
  const directory = temporaryDirectory(t)
  const start = (changes: object) =>
    startController({ directory, listen: '127.0.0.1:0', openRead: false, log: quiet, ...changes })
  const listen = controller.url.slice('http://'.length)
  await assert.rejects(start({ listen }), { code: 'port-taken', kind: 'usage' })
  await assert.rejects(start({ listen: 'nonsense' }), { code: 'usage', kind: 'usage' })
  await assert.rejects(start({ directory: controller.directory }), { code: 'state-busy' })
  await assert.rejects(start({ directory: '/dev/null/state' }), { code: 'denied' })
  writeFileSync(
    join(directory, 'controller.db'),
    'not a database at all, but long enough'.repeat(99),
  )
  await assert.rejects(start({}), { code: 'corrupt-state', kind: 'usage' })
  writeFileSync(join(directory, 'operator.token'), '')
  await assert.rejects(start({}), { code: 'corrupt-state', kind: 'usage' })
})

/** What the server says to exact bytes. */
async function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(bytes)
  const [first] = await new Promise<Buffer[]>(resolve =>
    socket.once('data', data => resolve([data])),
  )
  socket.destroy()
  return first!.toString('latin1')
}
