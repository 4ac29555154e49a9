/** A static HTTP server in a process of its own: DIRECTORY [LATENCY_MS]; prints its port. */
import { closeSync, createReadStream, fstatSync, openSync, readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'

/** Larger files are streamed, in pieces of the same size. */
const WHOLE_BYTES_MAX = 1024 * 1024

const [directory = '.', latency = '0'] = process.argv.slice(2)
const latencyMs = Number(latency)

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const path = join(directory, normalize(new URL(request.url ?? '/', 'http://x').pathname))
  // Requests that are pipelined wait at the same time, as on a long wire.
  if (latencyMs > 0) setTimeout(() => answer(path, response), latencyMs)
  else answer(path, response)
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
process.once('disconnect', () => process.exit())

function answer(path: string, response: ServerResponse): void {
  const handle = openFile(path)
  if (handle === undefined) {
    response.writeHead(404, { 'content-length': 0 }).end()
    return
  }
  const { size } = fstatSync(handle)
  response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' })
  if (size > WHOLE_BYTES_MAX) {
    createReadStream('', { fd: handle, highWaterMark: WHOLE_BYTES_MAX }).pipe(response)
    return
  }
  response.end(readFileSync(handle))
  closeSync(handle)
}

function openFile(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch {
    return undefined
  }
}
