import { TransientError } from '../codec/errors.ts'

export type HttpErrorDetails = { cause?: unknown; retryAfterMs?: number | undefined }

/** A cache did not give what was asked for; `retryAfterMs` is the pause that it wishes. */
export class HttpError extends TransientError {
  readonly retryAfterMs: number | undefined

  constructor(code: 'unreachable' | 'not-found', message: string, details: HttpErrorDetails = {}) {
    super(code, message, details.cause === undefined ? {} : { cause: details.cause })
    this.retryAfterMs = details.retryAfterMs
  }
}
