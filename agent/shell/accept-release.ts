import type { SignedDocument, Target } from '../codec/documents.ts'
import type { ErrorCode } from '../codec/error-codes.ts'
import type { HoldfastError } from '../codec/errors.ts'
import type { Floor } from '../codec/floor.ts'
import type { ReleaseId } from '../codec/report.ts'
import type { AcceptInput } from '../trust/accept.ts'
import { askOnce } from './one-shot.ts'

/** What `accept` of agent/trust says, as far as a host needs it. */
export type AcceptedRelease = {
  kind: 'accepted'
  /** The whole chain, to persist before anything else. */
  roots: SignedDocument[]
  target: Target
  digest: string
  floor: Floor
  news: 'newer' | 'same'
  moreRoots: boolean
  release: ReleaseId
  caches: string[]
  /** Milliseconds since 1970: of the release or of its root, whichever comes first. */
  expires: number
}

export type RefusedRelease = {
  kind: 'refused'
  by: HoldfastError['kind']
  code: ErrorCode
  message: string
  next: string
  /** Roots that are to be persisted although the release was refused. */
  roots?: SignedDocument[]
}

/** Only the first `sound` stored roots are what was once trusted; the others are read again. */
export type DamagedChain = { kind: 'damaged'; sound: number }

export type Verdict = AcceptedRelease | RefusedRelease | DamagedChain

/** A release is bounded, and so is the time its verification takes. */
const MS_MAX = 120_000

/** Verifies in a process that ends afterwards. */
export async function acceptRelease(input: AcceptInput, signal: AbortSignal): Promise<Verdict> {
  const asked = { worker: 'accept-worker', request: input, msMax: MS_MAX, signal }
  return (await askOnce(asked)) as Verdict
}
