/** A static HTTP server in a process of its own: DIRECTORY [LATENCY_MS]; prints its port. */
import { closeSync, createReadStream, fstatSync, openSync, readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createWire, type Socket } from 'node:net'
import { join, normalize } from 'node:path'

/** Larger files are streamed, in pieces of the same size. */
const WHOLE_BYTES_MAX = 1024 * 1024
/** In one direction of one connection: what a window of TCP may hold. */
const WIRE_BYTES_MAX = 16 * 1024 * 1024

const [directory = '.', latency = '0'] = process.argv.slice(2)
const latencyMs = Number(latency)

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const path = new URL(request.url ?? '/', 'http://x').pathname
  answer(join(directory, normalize(path)), response)
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  if (latencyMs === 0) process.stdout.write(`${port}\n`)
  else delayed(port, latencyMs / 2)
})
process.once('disconnect', () => process.exit())

/** A wire of that length before the server: every byte takes `ms`, in either direction. */
function delayed(port: number, ms: number): void {
  const wire = createWire(near => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    near.setNoDelay(true)
    carry(near, far, ms)
    carry(far, near, ms)
  })
  wire.listen(0, '127.0.0.1', () => {
    process.stdout.write(`${(wire.address() as AddressInfo).port}\n`)
  })
}

function carry(from: Socket, to: Socket, ms: number): void {
  let underWay = 0
  from.on('data', bytes => {
    underWay += bytes.length
    if (underWay > WIRE_BYTES_MAX) from.pause()
    // Timers of one length end in the order in which they began.
    setTimeout(() => {
      to.write(bytes, () => {
        underWay -= bytes.length
        if (underWay <= WIRE_BYTES_MAX) from.resume()
      })
    }, ms)
  })
  from.once('close', () => setTimeout(() => to.destroy(), ms))
  from.on('error', () => {})
}

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
