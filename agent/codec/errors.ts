import { type ErrorCode, errorCodes } from './error-codes.ts'

type Details = { cause?: unknown; next?: string }

/**
 * The base of every expected failure, classed by what happens next. `message` reads
 * *Cannot <action> "<thing>": <what is>*, without a full stop and without a secret.
 */
export abstract class HoldfastError extends Error {
  abstract readonly kind: 'rejected' | 'transient' | 'host' | 'usage'
  readonly code: ErrorCode
  /** What a person types or does next. */
  readonly next: string

  constructor(code: ErrorCode, message: string, details: Details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.code = code
    this.next = details.next ?? errorCodes[code].next
  }
}

/** The bytes are wrong: never retried. */
export class RejectedError extends HoldfastError {
  override readonly kind = 'rejected'
}

/** The world is wrong for now: retried with backoff. */
export class TransientError extends HoldfastError {
  override readonly kind = 'transient'
}

/** This host is wrong: nothing is installed, or the switch is undone. */
export class HostError extends HoldfastError {
  override readonly kind = 'host'
}

/** A person asked for what cannot be: the command ends with 2 and nothing is changed. */
export class UsageError extends HoldfastError {
  override readonly kind = 'usage'
}

/** The code to report for anything thrown; what is not ours is `internal`. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof HoldfastError ? error.code : 'internal'
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether `error` is a system error with this `code`, such as ENOENT. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code
}
