import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { HttpClients } from '../../../agent/store/http-get.ts'

const SIZE = 1_000_000

test('F02 gives a body up that is reset after every byte', async t => {
  let requests = 0
  const url = await serve(t, (socket, from) => {
    requests += 1
    const head = from === undefined ? '200 OK' : '206 Partial Content'
    const range = `Content-Range: bytes ${from}-${SIZE - 1}/${SIZE}`
    const length = `Content-Length: ${SIZE - (from ?? 0)}`
    socket.write(`HTTP/1.1 ${head}\r\nETag: "a"\r\n${range}\r\n${length}\r\n\r\nx`)
    setTimeout(() => socket.destroy(), 5)
  })
  let received = 0
  const receive = (bytes: Buffer) => {
    received += bytes.length
    return undefined
  }
  const get = new HttpClients().get({ url, bytes: SIZE, receive })
  await assert.rejects(get, { code: 'unreachable' })
  assert.deepEqual([requests, received], [4, 4])
})

/** Answers each request on a socket; `from` is where the wanted range begins. */
async function serve(t: TestContext, answer: (socket: Socket, from?: number) => void) {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', bytes => {
      const from = /range: bytes=(\d+)-/i.exec(bytes.toString())?.[1]
      answer(socket, from === undefined ? undefined : Number(from))
    })
  })
  t.after(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/nar`)
}
