import { connect, type Socket } from 'node:net'
import { isErrno, messageOf, TransientError } from '../codec/errors.ts'
import { ResponseReader } from './http-response.ts'
import { withoutSecrets } from './source-url.ts'

/** At most one parked connection, and the TLS sessions that make the next handshake small. */
export type SocketPool = {
  idle?: { origin: string; socket: Socket; release: () => void }
  sessions: Map<string, Buffer>
}

/** `deadline` is in `performance.now()` milliseconds. */
export type Limits = { deadline: number; signal: AbortSignal }

/** A peer that sends fewer bytes than this in one window is given up. */
const RATE_WINDOW_MS = 30_000
const RATE_BYTES_MIN = 1024

/** Opens a TCP or TLS connection to the origin of `url`. */
export async function openConnection(
  url: string,
  pool: SocketPool,
  limits: Limits,
): Promise<Socket> {
  const { protocol, hostname, port, origin } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const what = withoutSecrets(url)
  const secure = protocol === 'https:'
  const address = { host, port: port === '' ? (secure ? 443 : 80) : Number(port) }
  const socket = secure ? await startTls(address, origin, pool) : connect(address)
  socket.setNoDelay(true)
  return await guarded(socket, what, limits, settle => {
    socket.once(secure ? 'secureConnect' : 'connect', () => settle.resolve(socket))
  })
}

/** node:tls is loaded by those who need it. */
async function startTls(
  address: { host: string; port: number },
  origin: string,
  pool: SocketPool,
): Promise<Socket> {
  const tls = await import('node:tls')
  const { isIP } = await import('node:net')
  const session = pool.sessions.get(origin)
  const socket = tls.connect({
    ...address,
    ...(isIP(address.host) === 0 && { servername: address.host }),
    ...(session && { session }),
    ALPNProtocols: ['http/1.1'],
  })
  socket.on('session', fresh => pool.sessions.set(origin, fresh))
  socket.once('error', () => pool.sessions.delete(origin))
  return socket
}

export type ExchangeOptions = Limits & { what: string; bytesMax: number }

/** Sends a request and reads its answer; `stale` when the peer closed before its first byte. */
export async function exchange(
  socket: Socket,
  request: Buffer[],
  options: ExchangeOptions,
): Promise<ResponseReader | 'stale'> {
  const reader = new ResponseReader(options)
  const result = await guarded<ResponseReader | 'stale'>(socket, options.what, options, settle => {
    const finish = (then: () => void) => {
      try {
        then()
        if (reader.done) settle.resolve(reader)
      } catch (error) {
        settle.reject(error)
      }
    }
    const onClose = () => {
      if (!reader.started) settle.resolve('stale')
      else finish(() => reader.end())
    }
    settle.listen('data', (bytes: Buffer) => finish(() => reader.push(bytes)))
    settle.listen('end', onClose)
    settle.listen('close', onClose)
    watchRate(socket, options.what, settle)
    socket.resume().cork()
    for (const part of request) socket.write(part)
    socket.uncork()
  }).catch(error => {
    if (!reader.started && wasReset(error)) return 'stale' as const
    throw error
  })
  if (result === 'stale') socket.destroy()
  return result
}

function wasReset(error: unknown): boolean {
  const { cause } = error as Error
  return isErrno(cause, 'ECONNRESET') || isErrno(cause, 'EPIPE')
}

type Settle<T> = {
  resolve: (value: T) => void
  reject: (error: unknown) => void
  /** Adds a listener to the socket that is gone once settled. */
  listen: (event: string, listener: (...values: never[]) => void) => void
  /** Runs once settled. */
  after: (action: () => void) => void
}

/** One step on a socket, under deadline and signal; every failure destroys the socket. */
async function guarded<T>(
  socket: Socket,
  what: string,
  limits: Limits,
  run: (settle: Settle<T>) => void,
): Promise<T> {
  const cleanups: (() => void)[] = []
  const promise = new Promise<T>((resolve, reject) => {
    const listen: Settle<T>['listen'] = (event, listener) => {
      const plain = listener as (...values: unknown[]) => void
      socket.on(event, plain)
      cleanups.push(() => void socket.off(event, plain))
    }
    const timer = setTimeout(
      () => reject(unreachable(what, 'it did not answer in time')),
      Math.max(0, limits.deadline - performance.now()),
    )
    const abort = () => reject(limits.signal.reason)
    limits.signal.addEventListener('abort', abort, { once: true })
    cleanups.push(() => clearTimeout(timer))
    cleanups.push(() => limits.signal.removeEventListener('abort', abort))
    listen('error', (error: Error) => reject(unreachable(what, reasonOf(error), error)))
    run({ resolve, reject, listen, after: action => cleanups.push(action) })
  })
  try {
    return await promise
  } catch (error) {
    socket.on('error', () => {}).destroy()
    throw error
  } finally {
    for (const cleanup of cleanups) cleanup()
  }
}

/** Fault F02: one byte a second keeps every idle timer happy, so the rate is what counts. */
function watchRate<T>(socket: Socket, what: string, settle: Settle<T>): void {
  let before = socket.bytesRead + socket.bytesWritten
  const timer = setInterval(() => {
    const now = socket.bytesRead + socket.bytesWritten
    if (now - before < RATE_BYTES_MIN) {
      settle.reject(unreachable(what, `it sends fewer than ${RATE_BYTES_MIN} bytes in 30 s`))
    }
    before = now
  }, RATE_WINDOW_MS)
  settle.after(() => clearInterval(timer))
}

function unreachable(what: string, reason: string, cause?: unknown): TransientError {
  return new TransientError('unreachable', `Cannot reach "${what}": ${reason}`, { cause })
}

/** Several addresses that all failed make one error with many inside and no message of its own. */
function reasonOf(error: Error): string {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  return messageOf(first)
}
