/** A lean HTTP/1.1 client for small documents: what an idle agent loads decides what it weighs. */
import type { Socket } from 'node:net'
import { TransientError } from '../codec/errors.ts'
import { exchange, openConnection, type SocketPool } from './http-connection.ts'
import { withoutSecrets } from './source-url.ts'

export type HttpRequest = {
  /** Absolute, without credentials. */
  url: string
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: Uint8Array
  /** More body than this is refused with `oversized`, before it is held. */
  bytesMax: number
  /** Everything, redirects included, must be over in this time. */
  deadlineMs?: number
  /** False for a request that must not be sent twice when a kept-alive connection proves dead. */
  repeatable?: boolean
  signal: AbortSignal
}

export type HttpAnswer = {
  status: number
  /** Lower-case names. */
  headers: Map<string, string>
  body: Buffer
  /** Where the answer came from, after redirects. */
  url: string
}

/** As curl and git have it low; a longer chain is a loop or a maze. */
const REDIRECTS_MAX = 5
const DEADLINE_MS = 30_000
/** A server may ask for an hour of peace, no more: a wrong header must not silence a source. */
const RETRY_AFTER_MS_MAX = 3_600_000

export type HttpClientOptions = {
  /** Sent to its own origin only, never along a redirect elsewhere. */
  credentials?: { origin: string; authorization?: string }
}

/**
 * One server's client. It keeps one connection alive, resumes TLS sessions, follows at most five
 * redirects within one scheme, and honours Retry-After. Any status is an answer; what fails is
 * TransientError `unreachable` or `http`, or RejectedError `oversized`.
 */
export class HttpClient {
  readonly #credentials: HttpClientOptions['credentials']
  readonly #pool: SocketPool = { sessions: new Map() }
  #quiet: { until: number; why: string } | undefined

  constructor(options: HttpClientOptions = {}) {
    this.#credentials = options.credentials
  }

  async request(request: HttpRequest): Promise<HttpAnswer> {
    request.signal.throwIfAborted()
    this.#refuseWhileQuiet(request.url)
    const deadline = performance.now() + (request.deadlineMs ?? DEADLINE_MS)
    let { url } = request
    for (let hop = 0; hop <= REDIRECTS_MAX; hop += 1) {
      const answer = await this.#ask({ ...request, url }, deadline)
      const location = answer.headers.get('location')
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) {
        this.#learnPace(answer)
        return answer
      }
      url = nextUrl(url, location)
    }
    throw refused(request.url, `it redirects more than ${REDIRECTS_MAX} times`)
  }

  close(): void {
    this.#pool.idle?.socket.destroy()
  }

  async #ask(request: HttpRequest, deadline: number): Promise<HttpAnswer> {
    const { origin } = new URL(request.url)
    const limits = { deadline, signal: request.signal }
    const kept = takeIdle(this.#pool, origin)
    const bytes = this.#encode(request)
    if (kept !== undefined && request.repeatable !== false) {
      const answer = await this.#exchange(kept, bytes, request, deadline).catch(error => {
        if (error instanceof StaleConnection) return undefined
        throw error
      })
      if (answer !== undefined) return answer
    } else kept?.destroy()
    const socket = await openConnection(request.url, this.#pool, limits)
    return await this.#exchange(socket, bytes, request, deadline)
  }

  async #exchange(
    socket: Socket,
    bytes: Buffer[],
    request: HttpRequest,
    deadline: number,
  ): Promise<HttpAnswer> {
    const { url, bytesMax, signal } = request
    const what = withoutSecrets(url)
    const reader = await exchange(socket, bytes, { what, bytesMax, deadline, signal })
    if (reader === 'stale') throw new StaleConnection(what)
    if (reader.reusable) keepIdle(this.#pool, new URL(url).origin, socket)
    else socket.destroy()
    return { status: reader.status, headers: reader.headers, body: reader.body(), url }
  }

  #encode(request: HttpRequest): Buffer[] {
    const { host, origin, pathname, search } = new URL(request.url)
    const { method = 'GET', body } = request
    const lines = [`${method} ${pathname}${search} HTTP/1.1`, `Host: ${host}`]
    if (this.#credentials?.origin === origin && this.#credentials.authorization !== undefined) {
      lines.push(`Authorization: ${this.#credentials.authorization}`)
    }
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      lines.push(`${name}: ${value}`)
    }
    if (body !== undefined) lines.push(`Content-Length: ${body.length}`)
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    return body === undefined ? [head] : [head, Buffer.from(body)]
  }

  #refuseWhileQuiet(url: string): void {
    if (this.#quiet === undefined) return
    const seconds = Math.ceil((this.#quiet.until - performance.now()) / 1000)
    if (seconds <= 0) this.#quiet = undefined
    else throw refused(url, `${this.#quiet.why}, and for ${seconds} s it wants to be left alone`)
  }

  #learnPace({ status, headers }: HttpAnswer): void {
    const header = headers.get('retry-after')
    if (header === undefined || (status !== 429 && status < 500)) return
    const ms = /^[0-9]{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
    if (!(ms > 0)) return
    const until = performance.now() + Math.min(ms, RETRY_AFTER_MS_MAX)
    this.#quiet = { until, why: `it answered ${status}` }
  }
}

/** A kept-alive connection that the server had closed: nothing was answered, so ask again. */
class StaleConnection extends TransientError {
  constructor(what: string) {
    super('unreachable', `Cannot read "${what}": the connection was closed before the answer`)
  }
}

/** Turns an answer that is not 200 into an error; `what` names the document. */
export function unexpectedStatus(answer: HttpAnswer, what: string): TransientError {
  const { status } = answer
  const hint = status === 401 || status === 403 ? ', so the credentials are missing or wrong' : ''
  return new TransientError(
    'http',
    `Cannot read "${withoutSecrets(what)}": the server answered ${status}${hint}`,
  )
}

function nextUrl(from: string, location: string): string {
  if (!URL.canParse(location, from)) throw refused(from, 'it redirects to something not a URL')
  const to = new URL(location, from)
  if (to.protocol !== new URL(from).protocol) {
    throw refused(from, `it redirects to another scheme, ${to.protocol.slice(0, -1)}`)
  }
  to.username = ''
  to.password = ''
  return to.href
}

function refused(url: string, reason: string): TransientError {
  return new TransientError('http', `Cannot read "${withoutSecrets(url)}": ${reason}`)
}

function takeIdle(pool: SocketPool, origin: string): Socket | undefined {
  const { idle } = pool
  delete pool.idle
  if (idle === undefined) return undefined
  idle.release()
  if (idle.origin === origin && !idle.socket.destroyed) return idle.socket.ref()
  idle.socket.destroy()
  return undefined
}

/** Parks the connection; whatever happens on it while it is parked makes it useless. */
function keepIdle(pool: SocketPool, origin: string, socket: Socket): void {
  pool.idle?.socket.destroy()
  const drop = () => void socket.destroy()
  socket.unref().resume().on('data', drop).once('end', drop).once('error', drop)
  const release = () => {
    socket.off('data', drop).off('end', drop).off('error', drop).pause()
  }
  pool.idle = { origin, socket, release }
}
