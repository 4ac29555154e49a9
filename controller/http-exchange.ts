/** One request and its answer: bounded reading, and headers that a browser holds us to. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorCode } from '../agent/codec/error-codes.ts'
import { HoldfastError, RejectedError } from '../agent/codec/errors.ts'
import { ReplayedError } from './take-report.ts'

const statuses: Partial<Record<ErrorCode, number>> = {
  json: 400,
  schema: 400,
  key: 400,
  unauthorized: 401,
  forbidden: 403,
  'join-token': 403,
  'no-such-host': 404,
  'no-rollout': 404,
  'no-such-resource': 404,
  replayed: 409,
  'already-enrolled': 409,
  'too-large': 413,
  'too-many-requests': 429,
}

/** Nothing from elsewhere, nothing inline, nothing framed: text of a host can only ever be text. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

const hardening = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

export function harden(response: ServerResponse): void {
  for (const [name, value] of Object.entries(hardening)) response.setHeader(name, value)
}

/** The body, or RejectedError `too-large` as soon as it is known to be longer. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > bytesMax) throw tooLarge(bytesMax)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    length += chunk.length
    if (length > bytesMax) throw tooLarge(bytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, { status, type: 'application/json', body: `${JSON.stringify(value)}\n` })
}

export type Answer = { status: number; type: string; body: string }

export function send(response: ServerResponse, { status, type, body }: Answer): void {
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-length': bytes.length,
  })
  response.end(bytes)
}

/** The error as its sender may see it: a fault of ours tells nothing of itself. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, code, message, next } = describe(error)
  if (status === 401) response.setHeader('www-authenticate', 'Bearer realm="holdfast"')
  if (status === 429 || status === 503) response.setHeader('retry-after', '10')
  // What was not read of the body must not be taken for the next request.
  if (status === 413) response.setHeader('connection', 'close')
  const counter = error instanceof ReplayedError ? { counter: error.seen } : {}
  sendJson(response, status, { error: { code, message, next, ...counter } })
}

function describe(error: unknown) {
  const status = error instanceof HoldfastError ? statuses[error.code] : undefined
  if (error instanceof HoldfastError && status !== undefined) {
    return { status, code: error.code, message: error.message, next: error.next }
  }
  const message = 'Cannot answer "request": the controller failed'
  return { status: 503, code: 'internal', message, next: "Look at the controller's log" }
}

function tooLarge(bytesMax: number): RejectedError {
  return new RejectedError('too-large', `Cannot read "body": it is over ${bytesMax} bytes`)
}
