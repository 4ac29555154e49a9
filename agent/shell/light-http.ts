import type { IncomingMessage, RequestOptions } from 'node:http'
import { messageOf, TransientError } from '../codec/errors.ts'

/** What one request asks; every bound is the caller's, because every caller trusts nobody. */
export type LightRequest = {
  method: 'GET' | 'POST' | 'DELETE'
  /** http:// or https://. */
  url: string
  headers?: Record<string, string>
  body?: Uint8Array
  /** From the first packet to the last byte of the answer. */
  msMax: number
  /** A longer answer is an error; nothing beyond is read. */
  bytesMax: number
  signal?: AbortSignal | undefined
}

export type LightResponse = {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

/**
 * One small request over `node:http(s)`, which costs a resting agent a third of undici's memory.
 * No redirects, no compression, no connection kept. Errors: TransientError `unreachable`, whatever
 * went wrong: no answer, a cut one, a slow one, one that is too long, one that is not HTTP.
 */
export async function lightRequest(request: LightRequest): Promise<LightResponse> {
  const url = parseUrl(request.url)
  const open = requestOf(url.protocol)
  const deadline = AbortSignal.timeout(request.msMax)
  const signal = request.signal ? AbortSignal.any([deadline, request.signal]) : deadline
  const options: RequestOptions = {
    method: request.method,
    agent: false,
    signal,
    headers: { ...request.headers, 'content-length': String(request.body?.length ?? 0) },
  }
  return await new Promise((resolve, reject) => {
    const failed = (error: unknown) => {
      const why = deadline.aborted
        ? `it did not answer within ${request.msMax / 1000} s`
        : reasonOf(error)
      const message = `Cannot reach "${url.origin}": ${why}`
      reject(new TransientError('unreachable', message, { cause: error }))
    }
    try {
      const outgoing = open(url, options, incoming => {
        readBody(incoming, request.bytesMax).then(
          body => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }),
          failed,
        )
      })
      outgoing.on('error', failed)
      outgoing.end(request.body)
    } catch (error) {
      failed(error)
    }
  })
}

/**
 * An import of `node:http` would read each of its names, `WebSocket` among them, and with that one
 * load all of undici and HTTP/2: 10 MB that an agent at rest never uses.
 */
function requestOf(protocol: string) {
  const { getBuiltinModule } = process
  if (protocol === 'https:') return getBuiltinModule('node:https').request
  return getBuiltinModule('node:http').request
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new TransientError('unreachable', `Cannot reach "${text}": it is not an http(s) URL`)
}

/** The body, or an error once it is longer than `bytesMax` or cut before its end. */
async function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of incoming) {
    length += chunk.length
    // Leaving the loop destroys the stream and with it the connection.
    if (length > bytesMax) throw new Error(`it answers with more than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function reasonOf(error: unknown): string {
  const cause = error instanceof AggregateError ? error.errors[0] : error
  return messageOf(cause)
}
