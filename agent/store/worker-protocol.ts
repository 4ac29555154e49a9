/** What the main thread asks of a realise worker, one answer each. */
import type { PathInfo } from '../codec/documents.ts'
import type { ErrorCode } from '../codec/error-codes.ts'
import {
  codeOf,
  HoldfastError,
  HostError,
  messageOf,
  RejectedError,
  TransientError,
} from '../codec/errors.ts'
import { HttpError } from './http-error.ts'
import type { Location } from './locate.ts'

export type PathTask = Pick<PathInfo, 'path' | 'narHash' | 'narSize'>

export type WorkerRequest =
  /** Where the cache at `mirror` keeps a path. */
  | { kind: 'locate'; mirror: string; path: string }
  /** Fetches a path into the staging directory's `done/`. */
  | { kind: 'fetch'; mirror: string; location: Location; info: PathTask }
  /** Whether what lies at `at` is the path as the manifest has it, canonical in mode and time. */
  | { kind: 'check'; at: string; info: PathTask }
  /** A file of a cache, of at most `bytesMax` bytes. */
  | { kind: 'get'; mirror: string; name: string; bytesMax: number }
  | { kind: 'flush'; paths: string[] }

export type WorkerResults = {
  locate: Location
  /** Bytes that were received. */
  fetch: number
  check: boolean
  get: Uint8Array
  flush: undefined
}

export type WorkerStart = { staging: string; narrowUmask: boolean }

/** An error as it crosses the border between threads. */
export type WireError = {
  kind: HoldfastError['kind'] | 'internal'
  code: ErrorCode
  message: string
  retryAfterMs?: number
}

/** `written` counts the bytes of archives since the last message. */
export type WorkerMessage =
  | { written: number; id: number; result: unknown }
  | { written: number; id: number; error: WireError }
  | { written: number }

export function toWire(error: unknown): WireError {
  const kind: WireError['kind'] = error instanceof HoldfastError ? error.kind : 'internal'
  const wire = { kind, code: codeOf(error), message: messageOf(error) }
  if (!(error instanceof HttpError) || error.retryAfterMs === undefined) return wire
  return { ...wire, retryAfterMs: error.retryAfterMs }
}

/** `cause` of the error that is made holds what came over. */
export function fromWire(wire: WireError): Error {
  const { kind, code, message } = wire
  if (kind === 'rejected') return new RejectedError(code, message, { cause: wire })
  if (kind === 'transient') return new TransientError(code, message, { cause: wire })
  if (kind === 'host') return new HostError(code, message, { cause: wire })
  return new Error(message, { cause: wire })
}
