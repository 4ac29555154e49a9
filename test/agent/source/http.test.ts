import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { openSource } from '../../../agent/source/open-source.ts'
import { startFileServer } from '../../support/file-server.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { writeTree } from '../../support/tree-repository.ts'
import { found, poll, roots, sourceContract, texts } from './contract.ts'

type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean

async function openServer(t: TestContext, intercept?: Intercept) {
  const directory = temporaryDirectory(t)
  const server = await startFileServer({ directory, ...(intercept && { intercept }) })
  t.after(() => server.close())
  const publish = async (change: Record<string, string | undefined>) => writeTree(directory, change)
  const open = (url = server.url) => openSource({ http: url }, { scratch: '/nonexistent' })
  return { server, source: open(), reopen: open, open, publish }
}

const first = { 'prod/release.json': '{"v":1}', 'prod/release.json.sig': 'sig 1' }

sourceContract('http', openServer)

test('a poll with nothing new is one 304 of less than 1 KiB, both directions', async t => {
  const { server, source, publish } = await openServer(t)
  await publish({ ...first, ...roots(1, 1) })
  const { tag } = found(await poll(source))
  for (let count = 0; count < 4; count += 1) await poll(source, { seen: tag })
  const [bytes, requests] = [server.bytes(), server.requests.length]
  await poll(source, { seen: tag })
  const now = server.bytes()
  assert.deepEqual(server.requests.slice(requests), ['GET /prod/release.json 304'])
  assert.ok(now.sent + now.received - bytes.sent - bytes.received < 1024)
})

test('reads a pair again that changed between its two files', async t => {
  let swap: (() => void) | undefined
  const { source, publish } = await openServer(t, request => {
    if (request.url === '/prod/release.json.sig') swap?.()
    return false
  })
  await publish(first)
  swap = () => {
    swap = undefined
    void publish({ 'prod/release.json': '{"v":2}', 'prod/release.json.sig': 'sig 2' })
  }
  assert.deepEqual(texts(found(await poll(source)).release), ['{"v":2}', 'sig 2'])
})

test('works with a server that knows neither ETag nor Last-Modified', async t => {
  const files: Record<string, string> = {
    '/prod/release.json': 'x',
    '/prod/release.json.sig': 'y',
  }
  const { source } = await openServer(t, (request, response) => {
    const text = files[request.url ?? '']
    response.writeHead(text === undefined ? 404 : 200).end(text)
    return true
  })
  const { tag } = found(await poll(source))
  assert.deepEqual(texts(found(await poll(source, { seen: tag })).release), ['x', 'y'])
})

test('F01: keeps away for as long as Retry-After says, and shows the status', async t => {
  let asked = 0
  const { source } = await openServer(t, (_, response) => {
    asked += 1
    response.writeHead(503, { 'retry-after': '600' }).end()
    return true
  })
  await assert.rejects(poll(source), { code: 'http', kind: 'transient', message: /503/ })
  await assert.rejects(poll(source), { code: 'http', message: /left alone/ })
  assert.equal(asked, 1)
})

test('shows user and password of its address nowhere, and sends them', async t => {
  let seen: string | undefined
  const { server, open, publish } = await openServer(t, request => {
    seen = request.headers.authorization
    return false
  })
  await publish({ 'other/x': '' })
  const source = open(server.url.replace('http://', 'http://me:s3cret@'))
  const error = await poll(source).catch((error: Error) => error)
  assert.ok(error instanceof Error)
  assert.doesNotMatch(`${source.name} ${error.stack} ${JSON.stringify(error)}`, /s3cret|me:/)
  assert.equal(seen, `Basic ${Buffer.from('me:s3cret').toString('base64')}`)
})
