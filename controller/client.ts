/** What every command and provider uses to talk to a controller. */
import { readFileSync } from 'node:fs'
import type { ErrorCode } from '../agent/codec/error-codes.ts'
import { errorCodes } from '../agent/codec/error-codes.ts'
import { isErrno, messageOf, TransientError, UsageError } from '../agent/codec/errors.ts'
import { isObject, type JsonValue, parseJson } from '../agent/codec/json.ts'
import { controllerAddress } from '../agent/shell/enrol.ts'
import { lightRequest } from '../agent/shell/light-http.ts'
import type { HostView, RolloutView } from './views.ts'

export type ClientOptions = { url: string; token?: string; signal?: AbortSignal }

export type MadeToken = { token: string; expiresAt: string; uses: number; host?: string }

const REQUEST_MS_MAX = 10_000
/** 100,000 hosts with a kilobyte each. */
const ANSWER_BYTES_MAX = 128 * 1024 * 1024

/**
 * A controller, as its operator sees it. Errors: TransientError `unreachable` when there is no
 * answer of a controller; UsageError with the controller's own code when it says no.
 */
export class ControllerClient {
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
  }

  async hosts(): Promise<HostView[]> {
    const answer = await this.#ask<{ hosts: HostView[] }>('GET', '/v1/hosts')
    return answer.hosts
  }

  async host(name: string): Promise<HostView> {
    return await this.#ask('GET', `/v1/hosts/${encodeURIComponent(name)}`)
  }

  async rollouts(): Promise<RolloutView[]> {
    const answer = await this.#ask<{ rollouts: RolloutView[] }>('GET', '/v1/rollouts')
    return answer.rollouts
  }

  async latestRollout(channel?: string): Promise<RolloutView> {
    const query = channel === undefined ? '' : `?channel=${encodeURIComponent(channel)}`
    return await this.#ask('GET', `/v1/rollouts/latest${query}`)
  }

  /** A join token: for one host, one use and one hour unless asked otherwise. */
  async makeToken(
    request: { host?: string; expiresSeconds?: number; uses?: number } = {},
  ): Promise<MadeToken> {
    return await this.#ask('POST', '/v1/tokens', request)
  }

  /** Removes a host and its key. */
  async deleteHost(name: string): Promise<void> {
    await this.#ask('DELETE', `/v1/hosts/${encodeURIComponent(name)}`)
  }

  async #ask<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
    const { url, token, signal } = this.#options
    const answer = await lightRequest({
      method,
      url: controllerAddress(url, path),
      headers: {
        accept: 'application/json',
        ...(body && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: Buffer.from(JSON.stringify(body)) }),
      msMax: REQUEST_MS_MAX,
      bytesMax: ANSWER_BYTES_MAX,
      signal,
    })
    const value = readAnswer(answer.body, url)
    if (answer.status === 200) return value as T
    throw refusal(value, answer.status, url)
  }
}

function readAnswer(bytes: Buffer, url: string): JsonValue {
  try {
    return parseJson(bytes, { what: `answer of ${url}`, bytesMax: ANSWER_BYTES_MAX })
  } catch (cause) {
    const message = `Cannot reach "${url}": what answers there is no controller`
    throw new TransientError('unreachable', message, { cause })
  }
}

function refusal(value: JsonValue, status: number, url: string): Error {
  const error = isObject(value) && isObject(value.error) ? value.error : {}
  const { code, message, next } = error
  if (typeof code !== 'string' || !(code in errorCodes) || status >= 500) {
    return new TransientError('unreachable', `Cannot reach "${url}": it answers with ${status}`)
  }
  const text = typeof message === 'string' ? message : `Cannot ask "${url}": it says ${code}`
  return new UsageError(code as ErrorCode, text, typeof next === 'string' ? { next } : {})
}

/** The token in a file that a controller or an operator wrote. */
export function readTokenFile(path: string): string {
  try {
    const text = readFileSync(path, 'utf8').trim()
    if (/^[\x21-\x7e]{1,200}$/.test(text)) return text
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) {
      const next =
        'Start the controller, which writes it to its state directory, or correct the path'
      throw new UsageError('missing', `Cannot read "${path}": it does not exist`, { cause, next })
    }
    throw new UsageError('denied', `Cannot read "${path}": ${messageOf(cause)}`, { cause })
  }
  throw new UsageError('config', `Cannot use "${path}": it holds no token`)
}
