import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isErrno, messageOf, RejectedError, UsageError } from '../agent/codec/errors.ts'
import { Access } from './access.ts'
import { EventStreams } from './event-stream.ts'
import { Fleet } from './fleet.ts'
import { harden, sendError } from './http-exchange.ts'
import { openOperatorToken } from './operator-token.ts'
import { type Context, type Route, routes } from './routes.ts'
import { openSqliteStorage } from './sqlite-storage.ts'

export type ControllerOptions = {
  /** Holds the operator token and the storage; made when it is not there. */
  directory: string
  /** Such as `127.0.0.1:7070` or `[::]:7070`; port 0 takes a free one. */
  listen: string
  openRead: boolean
  /** The only fleet whose hosts may enrol. */
  fleet?: string
  log: { info: (fields: object) => void; warn: (fields: object) => void }
}

export type RunningController = {
  url: string
  fleet: Fleet
  /** Ends every connection, streams too, then the storage; within a second. */
  close(): Promise<void>
}

const TICK_MS = 1000
const CONNECTIONS_MAX = 10_000
/** A report is small: who cannot send one in this time is not a host. */
const REQUEST_MS_MAX = 20_000
const HEADERS_MS_MAX = 10_000
const HEADER_BYTES_MAX = 8 * 1024
/** How long answers that are being written may take once the controller stops. */
const CLOSE_MS_MAX = 500

/** Errors: UsageError `port-taken`, `denied`, `state-busy`, `corrupt-state`, `usage`. */
export async function startController(options: ControllerOptions): Promise<RunningController> {
  const address = parseListen(options.listen)
  const operatorToken = openOperatorToken(options.directory)
  const storage = await openSqliteStorage(options.directory)
  const { fleet: name, log, openRead } = options
  const fleet = new Fleet({ storage, ...(name !== undefined && { fleet: name }) })
  const streams = new EventStreams(fleet)
  const context = { fleet, streams, operatorToken, access: new Access({ operatorToken, openRead }) }
  const server = makeServer(context, log)
  let ticking: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    ticking = fleet.tick().catch(error => log.warn({ event: 'tick.failed', ...reasonOf(error) }))
  }, TICK_MS)
  const close = async () => {
    clearInterval(timer)
    streams.close()
    await closeServer(server)
    await ticking
    await storage.close()
  }
  try {
    return { url: await listen(server, address), fleet, close }
  } catch (error) {
    await close()
    throw error
  }
}

function makeServer(context: Context, log: ControllerOptions['log']): Server {
  const limits = {
    headersTimeout: HEADERS_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    maxHeaderSize: HEADER_BYTES_MAX,
    keepAliveTimeout: 5000,
    connectionsCheckingInterval: 1000,
  }
  const server = createServer(limits, (request, response) => {
    answer(context, request, response).catch(error => {
      const expected = error instanceof RejectedError
      if (!expected) log.warn({ event: 'request.failed', ...reasonOf(error) })
      sendError(response, error)
    })
  })
  server.maxConnections = CONNECTIONS_MAX
  server.maxRequestsPerSocket = 10_000
  server.on('clientError', (_, socket) => {
    if (!socket.writable) return socket.destroy()
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
  })
  return server
}

async function answer(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  harden(response)
  // A browser's HEAD is a GET whose body node leaves out.
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const url = URL.parse(request.url ?? '', 'http://controller')
  const found = url && findRoute(method, url.pathname)
  if (!url || !found) {
    throw new RejectedError('no-such-resource', 'Cannot answer "request": no such address')
  }
  const { route, name } = found
  if (route.right) context.access.check(request, route.right)
  await route.handle({ ...context, request, response, name, query: url.searchParams })
}

function findRoute(
  method: string | undefined,
  path: string,
): { route: Route; name: string } | undefined {
  const ours = routes.filter(route => route.method === method)
  const exact = ours.find(route => route.path === path)
  if (exact) return { route: exact, name: '' }
  const cut = path.lastIndexOf('/') + 1
  const route = ours.find(({ path: pattern }) => pattern === `${path.slice(0, cut)}*`)
  return route && { route, name: decode(path.slice(cut)) }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

async function listen(server: Server, { host, port }: { host: string; port: number }) {
  await new Promise<void>((resolve, reject) => {
    server.once('error', cause => reject(refusedAddress(cause, `${host}:${port}`)))
    server.listen({ host, port }, resolve)
  })
  const { address, family, port: taken } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`
}

function refusedAddress(cause: unknown, address: string): UsageError {
  if (isErrno(cause, 'EADDRINUSE')) {
    return new UsageError('port-taken', `Cannot listen on "${address}": it is in use`, { cause })
  }
  if (isErrno(cause, 'EADDRNOTAVAIL')) {
    const next = 'Name an address of this machine with --listen: see ip address'
    const text = `Cannot listen on "${address}": this machine does not have it`
    return new UsageError('usage', text, { cause, next })
  }
  const code = isErrno(cause, 'EACCES') ? 'denied' : 'usage'
  return new UsageError(code, `Cannot listen on "${address}": ${messageOf(cause)}`, { cause })
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535) {
    const next = 'Write it as 127.0.0.1:7070 or [::1]:7070'
    throw new UsageError('usage', `Cannot listen on "${text}": it is no address`, { next })
  }
  return { host: (match[1] ?? match[2])!, port }
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = new Promise(resolve => server.close(resolve))
  server.closeIdleConnections()
  const force = setTimeout(() => server.closeAllConnections(), CLOSE_MS_MAX)
  await closed
  clearTimeout(force)
}

function reasonOf(error: unknown): object {
  return { message: messageOf(error) }
}
