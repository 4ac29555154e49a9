import { connect } from 'node:net'
import { type ErrorCode, errorCodes } from '../codec/error-codes.ts'
import { isErrno, messageOf, UsageError } from '../codec/errors.ts'
import type { Status } from '../codec/report.ts'
import { ANSWER_BYTES_MAX, type ControlAnswer, type ControlRequest } from './control-protocol.ts'

/** An agent that polls first may need as long as its slowest source. */
const ANSWER_MS_MAX = 120_000

/** Asks the agent of this host. Errors: UsageError `no-agent`, `denied`, or the agent's own. */
export async function askAgent(
  path: string,
  request: ControlRequest,
  signal: AbortSignal,
): Promise<Status> {
  const answer = await exchange(path, request, signal)
  if ('status' in answer) return answer.status
  const { code, message, next } = answer.error
  const known = code in errorCodes ? (code as ErrorCode) : 'internal'
  throw new UsageError(known, message, { next })
}

async function exchange(
  path: string,
  request: ControlRequest,
  signal: AbortSignal,
): Promise<ControlAnswer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)])
  const socket = connect({ path, signal: limit })
  try {
    const chunks: Buffer[] = []
    let length = 0
    socket.write(`${JSON.stringify(request)}\n`)
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length > ANSWER_BYTES_MAX) throw new Error('the answer has no end')
    }
    return JSON.parse(Buffer.concat(chunks).toString()) as ControlAnswer
  } catch (cause) {
    throw unanswered(path, cause)
  } finally {
    socket.destroy()
  }
}

function unanswered(path: string, cause: unknown): UsageError {
  if (isErrno(cause, 'EACCES') || isErrno(cause, 'EPERM')) {
    const message = `Cannot ask the agent on "${path}": only root may`
    return new UsageError('not-root', message, { cause })
  }
  const absent = isErrno(cause, 'ENOENT') || isErrno(cause, 'ECONNREFUSED')
  const is = absent ? 'none is running' : messageOf(cause)
  return new UsageError('no-agent', `Cannot ask the agent on "${path}": ${is}`, { cause })
}
