import type { SignedDocument } from '../codec/documents.ts'
import type { ErrorCode } from '../codec/error-codes.ts'

/** What the worker is asked for, and what it answers, over the channel between the processes. */
export type FetchOrder = {
  /** Without credentials. */
  url: string
  authorization?: string
  branch: string
  channel: string
  rootVersion: number
  /** An empty directory. */
  scratch: string
  /** All bytes of all answers together. */
  bytesMax: number
  /** Resident memory of the worker; the parent watches it. */
  memoryBytesMax: number
  deadlineMs: number
}

export type FetchOutcome =
  | { kind: 'fetched'; commit: string; release: SignedDocument; roots: SignedDocument[] }
  | { kind: 'failed'; rejected: boolean; code: ErrorCode; message: string }
