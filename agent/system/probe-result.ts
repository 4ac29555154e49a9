import type { ErrorCode } from '../codec/error-codes.ts'

/** Why a probe failed, in words for a person: no full stop. */
export type ProbeFailure = { probe: string; code: ErrorCode; message: string }

/** Thrown inside a probe; a probe that returns has passed. */
export class ProbeError extends Error {
  readonly code: ErrorCode

  constructor(message: string, code: ErrorCode = 'probe-failed') {
    super(message)
    this.name = 'ProbeError'
    this.code = code
  }
}
