import type { Seed } from '../codec/documents.ts'
import { codeOf, messageOf } from '../codec/errors.ts'
import { isObject, parseJson } from '../codec/json.ts'
import type { Metrics, Reporter, Status } from '../codec/report.ts'
import {
  encodeCredential,
  encodeReport,
  keyFingerprint,
  reportMessage,
} from '../codec/report-envelope.ts'
import { controllerAddress, enrol, forgetToken } from './enrol.ts'
import { type HostKey, openHostKey } from './host-key.ts'
import { type LightResponse, lightRequest } from './light-http.ts'
import { readMetrics } from './metrics.ts'
import { ReportCounter } from './report-counter.ts'
import { ReportQueue } from './report-queue.ts'

export type ReporterOptions = {
  seed: Seed
  stateDirectory: string
  log: { info: (fields: object) => void; warn: (fields: object) => void }
  /** A report goes out this often even when nothing changes; more often when something does. */
  intervalSeconds: number
  /** Where free space is measured. Default `/nix/store`. */
  storePath?: string
}

/** Changes within this time travel together: a switch makes several in a row. */
const GATHER_MS = 200
const REQUEST_MS_MAX = 10_000
const ANSWER_BYTES_MAX = 64 * 1024
const RETRY_MS_MIN = 1000
/** A controller that comes back hears from its hosts within this time. */
const RETRY_MS_MAX = 30_000
/** A controller that knows the host no longer is asked rarely: a person has to act first. */
const REFUSED_MS = 60_000
/** The longest pause that a controller can ask for. */
const RETRY_AFTER_SECONDS_MAX = 3600
const METRICS_MS = 15 * 60_000
/** How long `close` lets a last report take. */
const CLOSE_MS_MAX = 1000

/**
 * Reports to the seed's controller, or to nobody when it names none. Whatever that controller does
 * or is, nothing is thrown and nothing but the log shows it: a host converges without one.
 */
export function openReporter(options: ReporterOptions): Reporter {
  if (options.seed.controller === undefined) return { report() {}, async close() {} }
  try {
    return new HostReporter(options)
  } catch (error) {
    options.log.warn({ event: 'report.disabled', code: codeOf(error), message: messageOf(error) })
    return { report() {}, async close() {} }
  }
}

class HostReporter implements Reporter {
  readonly #options: ReporterOptions
  readonly #url: string
  readonly #key: HostKey
  readonly #counter: ReportCounter
  readonly #queue: ReportQueue
  readonly #closing = new AbortController()
  #toEnrol: boolean
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  #changed = false
  #metrics: Metrics | undefined
  #metricsAt = Number.NEGATIVE_INFINITY
  /** The last trouble that was logged, so that a controller away for days is one line. */
  #trouble = ''

  constructor(options: ReporterOptions) {
    this.#options = options
    this.#url = options.seed.controller!.url
    this.#toEnrol = options.seed.controller!.token !== undefined
    this.#key = openHostKey(options.stateDirectory)
    this.#counter = new ReportCounter(options.stateDirectory, Date.now())
    this.#queue = new ReportQueue(options.stateDirectory)
  }

  report(status: Status): void {
    if (this.#closing.signal.aborted) return
    try {
      const first = this.#queue.status === undefined
      const changed = this.#queue.push(status, () => this.#counter.next())
      if (!changed && !first) return
    } catch (error) {
      // The status is queued; only the file beside it could not be written.
      this.#failed(codeOf(error), messageOf(error))
    }
    this.#changed = true
    // While the controller is away, changes wait for the retry that is already due.
    if (this.#timer === undefined || this.#failures === 0) this.#hasten()
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    clearTimeout(this.#timer)
    const last = setTimeout(() => this.#closing.abort(), CLOSE_MS_MAX)
    await this.#sending
    if (this.#changed && this.#failures === 0) await this.#send()
    clearTimeout(last)
    this.#closing.abort()
    clearTimeout(this.#timer)
  }

  #hasten(): void {
    if (this.#sending === undefined) this.#schedule(GATHER_MS)
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer)
    if (this.#closing.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#sending ??= this.#send().finally(() => {
        this.#sending = undefined
      })
    }, ms).unref()
  }

  /** One attempt; schedules the next. Never rejects. */
  async #send(): Promise<void> {
    let waitMs: number
    try {
      waitMs = await this.#attempt()
    } catch (error) {
      waitMs = this.#failed(codeOf(error), messageOf(error))
    }
    this.#schedule(waitMs)
  }

  async #attempt(): Promise<number> {
    const refusedMs = this.#toEnrol ? await this.#enrol() : undefined
    if (refusedMs !== undefined) return refusedMs
    const status = this.#queue.status
    if (status === undefined) return this.#intervalMs()
    this.#refreshMetrics()
    const changes = this.#queue.changes
    this.#changed = false
    const counter = this.#counter.next()
    const body = encodeReport({
      counter,
      sentAt: new Date().toISOString(),
      intervalSeconds: this.#options.intervalSeconds,
      status,
      ...(this.#metrics && { metrics: this.#metrics }),
      history: changes,
    })
    const answer = await this.#post(body)
    if (!confirms(answer, { taken: counter })) return this.#refused(answer)
    this.#queue.taken(changes)
    this.#succeeded()
    return this.#changed ? GATHER_MS : this.#intervalMs()
  }

  /** Undefined once the controller knows this host; otherwise the time until the next attempt. */
  async #enrol(): Promise<number | undefined> {
    const { seed, stateDirectory } = this.#options
    const answer = await enrol({ seed, key: this.#key, signal: this.#closing.signal })
    const { fleet, host } = seed
    const enrolled = { fleet, host, key: keyFingerprint(this.#key.publicKey) }
    if (!confirms(answer, { enrolled })) return this.#refused(answer)
    this.#toEnrol = false
    forgetToken(stateDirectory)
    this.#log('info', { event: 'host.enrolled', host: seed.host, controller: this.#url })
    return undefined
  }

  async #post(body: Buffer): Promise<LightResponse> {
    const signature = this.#key.sign(reportMessage(body))
    return await lightRequest({
      method: 'POST',
      url: controllerAddress(this.#url, '/v1/reports'),
      headers: {
        'content-type': 'application/json',
        authorization: encodeCredential(this.#key.publicKey, signature),
      },
      body,
      msMax: REQUEST_MS_MAX,
      bytesMax: ANSWER_BYTES_MAX,
      signal: this.#closing.signal,
    })
  }

  /** For the next report: this one does not wait for them. */
  #refreshMetrics(): void {
    if (performance.now() - this.#metricsAt < METRICS_MS) return
    this.#metricsAt = performance.now()
    const storePath = this.#options.storePath ?? '/nix/store'
    readMetrics(storePath, this.#closing.signal).then(metrics => {
      this.#metrics = metrics
    }, noMetrics)
  }

  #succeeded(): void {
    if (this.#failures > 0) this.#log('info', { event: 'report.resumed' })
    this.#failures = 0
    this.#trouble = ''
  }

  /** Anything but a yes. Only the status and two numbers are read, and both are bounded. */
  #refused(answer: LightResponse): number {
    const { code, message, counter } = errorOf(answer)
    if (answer.status === 409 && code === 'replayed') this.#counter.skipTo(counter)
    const backoffMs = this.#failed(code, message)
    const asked = Number(answer.headers['retry-after'])
    const askedMs = asked > 0 ? Math.min(asked, RETRY_AFTER_SECONDS_MAX) * 1000 : 0
    const refused = answer.status === 401 || answer.status === 403
    return Math.max(backoffMs, askedMs, refused ? this.#refusedMs() : 0)
  }

  #failed(code: string, message: string): number {
    this.#failures += 1
    if (this.#trouble !== code && !this.#closing.signal.aborted) {
      this.#trouble = code
      this.#log('warn', { event: 'report.failed', code, message, controller: this.#url })
    }
    // Never rarer than heartbeats, which are no more than a healthy controller gets anyway.
    const most = Math.min(RETRY_MS_MAX, this.#options.intervalSeconds * 1000)
    const ceiling = Math.min(most, RETRY_MS_MIN * 2 ** Math.min(this.#failures, 10))
    return ceiling / 2 + (Math.random() * ceiling) / 2
  }

  #refusedMs(): number {
    return REFUSED_MS * (0.75 + Math.random() / 2)
  }

  /** Early by up to a fifth, never late: hosts that started together drift apart. */
  #intervalMs(): number {
    return this.#options.intervalSeconds * 1000 * (0.8 + Math.random() / 5)
  }

  /** A log that cannot be written must not end the agent either. */
  #log(level: 'info' | 'warn', fields: object): void {
    try {
      this.#options.log[level](fields)
    } catch {}
  }
}

function noMetrics(): void {}

/** A yes names what it answers: any web server says 200, and must not take history or token. */
function confirms(answer: LightResponse, expected: object): boolean {
  try {
    const value = parseJson(answer.body, { what: 'the answer' })
    return answer.status === 200 && JSON.stringify(value) === JSON.stringify(expected)
  } catch {
    return false
  }
}

/** What a refusal says of itself, if it is one of ours. */
function errorOf(answer: LightResponse): { code: string; message: string; counter?: unknown } {
  const silent = {
    code: 'unreachable',
    message: `Cannot report: the controller answers with status ${answer.status}`,
  }
  try {
    const value = parseJson(answer.body, { what: 'the answer' })
    const error = isObject(value) ? value.error : undefined
    if (!isObject(error) || typeof error.code !== 'string') return silent
    const message = typeof error.message === 'string' ? error.message.slice(0, 300) : silent.message
    return { code: error.code.slice(0, 40), message, counter: error.counter }
  } catch {
    return silent
  }
}
