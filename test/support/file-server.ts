import { createReadStream, fstatSync, openSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { normalize } from 'node:path'
import { countBytes, type WireBytes } from './wire-bytes.ts'

export type FileServerOptions = {
  directory: string
  listen?: { host?: string; port?: number }
  /** Sees a request first; answers it itself and returns true, or leaves it to the files. */
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
}

export type FileServer = {
  /** Without a trailing slash. */
  url: string
  bytes: () => WireBytes
  /** Requests so far, such as `GET /nix-cache-info 200`, in the order they were answered. */
  requests: string[]
  close: () => Promise<void>
}

/**
 * A static HTTP server with ETag, If-None-Match, Last-Modified and Range: what nginx gives a
 * cache.
 */
export async function startFileServer(options: FileServerOptions): Promise<FileServer> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    response.once('finish', () => {
      requests.push(`${request.method} ${request.url} ${response.statusCode}`)
    })
    if (options.intercept?.(request, response)) return
    answer(options.directory, request, response)
  })
  const bytes = countBytes(server)
  const { host = '127.0.0.1', port = 0 } = options.listen ?? {}
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return {
    url: `http://${host}:${address.port}`,
    bytes,
    requests,
    close: () => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

function answer(directory: string, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405).end()
    return
  }
  const path = new URL(request.url ?? '/', 'http://localhost').pathname
  const handle = openFile(directory + normalize(decodeURIComponent(path)))
  if (handle === undefined) {
    response.writeHead(404, { 'content-length': 0 }).end()
    return
  }
  const info = fstatSync(handle, { bigint: true })
  const etag = `"${info.mtimeNs.toString(36)}-${info.ino.toString(36)}-${info.size.toString(36)}"`
  response.setHeader('etag', etag)
  if (request.headers['if-none-match'] === etag) {
    createReadStream('', { fd: handle, end: 0 }).destroy()
    response.writeHead(304).end()
    return
  }
  response.setHeader('last-modified', new Date(Number(info.mtimeMs)).toUTCString())
  response.setHeader('accept-ranges', 'bytes')
  const size = Number(info.size)
  const range = readRange(request.headers.range, size)
  const { start, end } = range ?? { start: 0, end: size - 1 }
  if (range !== undefined) response.setHeader('content-range', `bytes ${start}-${end}/${size}`)
  response.writeHead(range === undefined ? 200 : 206, { 'content-length': end - start + 1 })
  const stream = createReadStream('', { fd: handle, start, end, highWaterMark: 1 << 18 })
  if (request.method === 'HEAD' || size === 0) {
    stream.destroy()
    response.end()
    return
  }
  response.once('close', () => stream.destroy())
  stream.pipe(response)
}

function openFile(path: string): number | undefined {
  try {
    const handle = openSync(path, 'r')
    if (fstatSync(handle).isFile()) return handle
    createReadStream('', { fd: handle }).destroy()
    return undefined
  } catch {
    return undefined
  }
}

/** One range, as clients resume with; anything else is answered whole. */
function readRange(header: string | undefined, size: number) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '')
  if (match === null) return undefined
  const start = Number(match[1])
  const end = Math.min(match[2] === '' ? size - 1 : Number(match[2]), size - 1)
  return start <= end ? { start, end } : undefined
}
