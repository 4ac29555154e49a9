import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { type TestContext, test } from 'node:test'
import { HttpClient } from '../../../agent/source/http-client.ts'

async function listen(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  t.after(() => server.closeAllConnections())
  return await listen(t, server)
}

function get(client: HttpClient, url: string, more: { deadlineMs?: number } = {}) {
  return client.request({ url, bytesMax: 1000, signal: AbortSignal.timeout(10_000), ...more })
}

test('F05: follows five redirects and not six', async t => {
  const url = await serve(t, (request, response) => {
    const left = Number(request.url?.slice(1))
    if (left === 0) response.end('there')
    else response.writeHead(302, { location: `/${left - 1}` }).end()
  })
  assert.equal((await get(new HttpClient(), `${url}/5`)).body.toString(), 'there')
  await assert.rejects(get(new HttpClient(), `${url}/6`), { code: 'http', message: /more than 5/ })
})

test('F05: never follows to another scheme', async t => {
  const url = await serve(t, (_, response) => {
    response.writeHead(301, { location: 'https://127.0.0.1/' }).end()
  })
  await assert.rejects(get(new HttpClient(), url), { code: 'http', message: /another scheme/ })
})

test('F05: credentials never leave their origin', async t => {
  const seen: (string | undefined)[] = []
  const other = await serve(t, (request, response) => {
    seen.push(request.headers.authorization)
    response.end()
  })
  const url = await serve(t, (request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(307, { location: `http://a:b@${other.slice(7)}/` }).end()
  })
  const client = new HttpClient({ credentials: { origin: url, authorization: 'Basic eDp5' } })
  await get(client, url)
  assert.deepEqual(seen, ['Basic eDp5', undefined])
})

test('uses its connection again, and opens another when the server had closed it', async t => {
  let connections = 0
  const server = createTcpServer(socket => {
    connections += 1
    let answers = 0
    socket
      .on('error', () => {})
      .on('data', () => {
        answers += 1
        if (answers > 2)
          socket.destroy() // As a server does whose patience has run out.
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')
      })
  })
  const url = await listen(t, server)
  const client = new HttpClient()
  for (let count = 0; count < 4; count += 1) {
    assert.equal((await get(client, url)).body.toString(), 'hi')
  }
  assert.equal(connections, 2)
  client.close()
})

test('F02: gives up a server that never answers, at the deadline', async t => {
  const url = await serve(t, () => {})
  const error = { code: 'unreachable', message: /did not answer in time/ }
  await assert.rejects(get(new HttpClient(), url, { deadlineMs: 50 }), error)
})

test('says that nobody listens', async () => {
  const asked = get(new HttpClient(), 'http://127.0.0.1:1/x?token=secret')
  const error = {
    code: 'unreachable',
    kind: 'transient',
    message: /"http:\/\/127.0.0.1:1\/x".*REFUSED/,
  }
  await assert.rejects(asked, error)
})
