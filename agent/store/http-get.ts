/**
 * Bodies over HTTP, as large and as many as a closure has. Only for worker threads: undici costs
 * more memory than an idle agent may have.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, Dispatcher } from 'undici'
import { messageOf } from '../codec/errors.ts'
import { HttpError, type HttpErrorDetails } from './http-error.ts'
import { RateWatch } from './rate-watch.ts'
import { connectReusing } from './reused-reads.ts'

/** Connections for bodies, to one origin, from one thread: several, as each starts slowly. */
const CONNECTIONS_MAX = 4
/** Requests on one connection before the first is answered; they hide the round trip. */
const BODIES_PIPELINED_MAX = 4
const SMALL_PIPELINED_MAX = 32
/** Of the page that comes with an error. */
const IGNORED_BYTES_MAX = 64 * 1024
const REDIRECTS_MAX = 5
const CONNECT_MS_MAX = 10_000
/** Until the headers are whole, and between two pieces of a body. */
const SILENCE_MS_MAX = 30_000
/** Interruptions in a row that brought less than the slowest transfer does in its window. */
const FRUITLESS_RESUMES_MAX = 3
const FRUITFUL_BYTES_MIN = 32 * 1024
const RESUME_PAUSE_MS = 200
/** However long a server asks us to wait. */
const RETRY_AFTER_MS_MAX = 60 * 60 * 1000

/** Gets a body piece by piece; with a promise, the following pieces wait for it. */
export type Receive = (bytes: Buffer) => Promise<void> | undefined

export type GetRequest = {
  url: URL
  receive: Receive
  /** How much is expected; requests are spread over the connections by it. */
  bytes: number
  /** Small bodies have a connection of their own, where no large one is in their way. */
  small?: boolean
}

type Connection = { client: Promise<Client>; pendingBytes: number }
type Answer = { redirect?: string; interrupted?: Error }
/** How far a body has come, over however many requests. */
type Progress = { received: number; etag?: string }

export class HttpClients {
  readonly #connections = new Map<string, Connection[]>()
  readonly #watch = new RateWatch()

  /** Resolves when the whole body has been received; fails with TransientError. */
  async get(request: GetRequest): Promise<void> {
    const progress: Progress = { received: 0 }
    let { url } = request
    let redirects = 0
    for (let fruitless = 0; ; ) {
      const before = progress.received
      const answer = await this.#once({ ...request, url }, progress)
      if (answer.redirect !== undefined) {
        if (++redirects > REDIRECTS_MAX) throw unreachable(url, 'it redirects without end')
        url = followRedirect(url, answer.redirect)
      } else if (answer.interrupted === undefined) return
      else {
        const brought = progress.received - before
        fruitless = brought >= FRUITFUL_BYTES_MIN ? 0 : fruitless + 1
        if (progress.received === 0 || fruitless > FRUITLESS_RESUMES_MAX) {
          throw unreachable(url, messageOf(answer.interrupted), { cause: answer.interrupted })
        }
        await sleep(RESUME_PAUSE_MS * fruitless)
      }
    }
  }

  async #once(request: GetRequest, progress: Progress): Promise<Answer> {
    const connection = this.#choose(request)
    // At once, so that what is asked for in the same moment goes elsewhere.
    connection.pendingBytes += request.bytes
    try {
      const client = await connection.client
      return await new Promise<Answer>((resolve, reject) => {
        const { pathname, search } = request.url
        client.dispatch(
          {
            method: 'GET',
            path: pathname + search,
            headers: headersFor(progress),
            // Otherwise nothing is pipelined behind it.
            blocking: false,
          },
          new Exchange({ request, progress, watch: this.#watch, resolve, reject }),
        )
      })
    } finally {
      connection.pendingBytes -= request.bytes
    }
  }

  #choose(request: GetRequest): Connection {
    const { origin } = request.url
    const small = request.small === true
    const key = small ? `${origin} small` : origin
    const open = this.#connections.get(key) ?? []
    this.#connections.set(key, open)
    const idle = open.find(connection => connection.pendingBytes === 0)
    if (idle !== undefined) return idle
    if (open.length < (small ? 1 : CONNECTIONS_MAX)) {
      const client = connect(origin, small ? SMALL_PIPELINED_MAX : BODIES_PIPELINED_MAX)
      open.push({ client, pendingBytes: 0 })
      return open.at(-1)!
    }
    return open.reduce((a, b) => (b.pendingBytes < a.pendingBytes ? b : a))
  }
}

async function connect(origin: string, pipelining: number): Promise<Client> {
  // This entry alone, as the whole of undici with fetch and WebSocket takes twice the memory.
  // @ts-expect-error: it has no types of its own
  const { default: LeanClient } = await import('undici/lib/dispatcher/client.js')
  return new LeanClient(origin, {
    pipelining,
    connect: origin.startsWith('http:')
      ? connectReusing(CONNECT_MS_MAX)
      : { timeout: CONNECT_MS_MAX },
    headersTimeout: SILENCE_MS_MAX,
    bodyTimeout: SILENCE_MS_MAX,
  })
}

function headersFor(progress: Progress): Record<string, string> {
  const headers: Record<string, string> = {
    'user-agent': 'holdfast',
    'accept-encoding': 'identity',
  }
  if (progress.received === 0) return headers
  headers.range = `bytes=${progress.received}-`
  if (progress.etag !== undefined) headers['if-range'] = progress.etag
  return headers
}

type ExchangeOptions = {
  request: GetRequest
  progress: Progress
  watch: RateWatch
  resolve: (answer: Answer) => void
  reject: (error: unknown) => void
}
type Headers = Record<string, string | string[] | undefined>

/** One request and its answer. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions
  #answer: Answer = {}
  #ignoreBody = false
  #paused = false

  constructor(options: ExchangeOptions) {
    this.#options = options
  }

  /** Undici wants to see it. */
  onRequestStart(): void {}

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Headers,
  ): void {
    const { request, progress, reject } = this.#options
    if (status >= 300 && status < 400 && typeof headers.location === 'string') {
      this.#answer = { redirect: headers.location }
      this.#ignoreBody = true
      this.#options.watch.start(this, error => controller.abort(error))
      return
    }
    const failure = checkStatus({ url: request.url, status, headers, progress })
    if (failure !== undefined) {
      reject(failure)
      // A short page is read to its end, for the sake of what is pipelined behind it.
      this.#ignoreBody = Number(headers['content-length']) <= IGNORED_BYTES_MAX
      if (this.#ignoreBody) this.#options.watch.start(this, error => controller.abort(error))
      else controller.abort(failure)
      return
    }
    if (typeof headers.etag === 'string' && !headers.etag.startsWith('W/')) {
      progress.etag = headers.etag
    }
    this.#options.watch.start(this, error => controller.abort(error))
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.#ignoreBody) return
    const { request, progress, watch, reject } = this.#options
    progress.received += bytes.length
    watch.count(this, bytes.length)
    const fail = (error: unknown) => {
      reject(error)
      controller.abort(error as Error)
    }
    try {
      const wait = request.receive(bytes)
      if (wait === undefined || this.#paused) return
      this.#paused = true
      watch.pause(this, true)
      controller.pause()
      wait.then(() => {
        this.#paused = false
        watch.pause(this, false)
        controller.resume()
      }, fail)
    } catch (error) {
      fail(error)
    }
  }

  onResponseEnd(): void {
    this.#options.watch.stop(this)
    this.#options.resolve(this.#answer)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#options.watch.stop(this)
    // After a rejection of our own this changes nothing.
    this.#options.resolve({ interrupted: error })
  }
}

type ResponseHead = { url: URL; status: number; headers: Headers; progress: Progress }

function checkStatus(head: ResponseHead): HttpError | undefined {
  const { url, status, headers, progress } = head
  if (progress.received === 0 && status === 200) return undefined
  if (progress.received > 0 && status === 206) {
    const from = /^bytes (\d+)-/.exec(String(headers['content-range']))?.[1]
    if (Number(from) === progress.received) return undefined
    return unreachable(url, 'it answered with another range than was asked for')
  }
  // Not concatenated to what came before: the caller starts the object again.
  if (status === 200) return unreachable(url, 'it changed, or cannot be resumed')
  if (status === 404 || status === 410) {
    return new HttpError('not-found', `Cannot fetch "${url.href}": it is not there`)
  }
  const retryAfterMs = readRetryAfter(headers['retry-after'])
  return unreachable(url, `the server answered ${status}`, { retryAfterMs })
}

function followRedirect(from: URL, location: string): URL {
  const to = URL.parse(location, from.href)
  if (to !== null && to.protocol === from.protocol) return to
  throw unreachable(from, `it redirects to "${location.slice(0, 200)}"`)
}

/** Seconds, or a date. */
function readRetryAfter(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string') return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : undefined
}

function unreachable(url: URL, why: string, details: HttpErrorDetails = {}): HttpError {
  return new HttpError(
    'unreachable',
    `Cannot fetch "${url.origin}${url.pathname}": ${why}`,
    details,
  )
}
