import type { SignedDocument } from '../codec/documents.ts'

/** `rootVersion` is the newest root this host trusts: newer ones are asked for. */
export type PollRequest = {
  channel: string
  rootVersion: number
  /** The tag of the poll whose documents were handled to the end; undefined reads everything. */
  seen?: string
  signal: AbortSignal
}

/**
 * `roots` holds versions rootVersion+1, +2, … in order, at most 64; nothing here is verified yet.
 */
export type PollResult =
  | { kind: 'unchanged'; tag: string }
  | { kind: 'found'; tag: string; roots: SignedDocument[]; release: SignedDocument }

/**
 * A place where releases are read. Errors: TransientError when it cannot be reached, RejectedError
 * when what it holds cannot be a release tree. Nothing is written outside a throw-away directory.
 */
export interface Source {
  /** For logs and status, such as `git http://git.example/fleet.git main`; never holds a secret. */
  readonly name: string
  poll(request: PollRequest): Promise<PollResult>
}
