/**
 * What a host believes. Pure: bytes, floor and clock come in; what is to be persisted goes out. The
 * order is fixed: roots, then the quorum over the release's bytes, then its content, then its order
 * against the floor, then expiry, then this host's entry. Nothing is parsed before it is signed.
 */
import type { Release, Root, Seed, SignedDocument, Target } from '../codec/documents.ts'
import { RejectedError } from '../codec/errors.ts'
import type { Floor } from '../codec/floor.ts'
import { decodeRelease } from '../codec/release.ts'
import { namespaces } from '../codec/sshsig.ts'
import { expiredError, provedNow } from './expiry.ts'
import { requireQuorum } from './quorum.ts'
import { digestOf, extendChain, type RootChain } from './root-chain.ts'

export type AcceptInput = {
  pin: Seed['root']
  /** The root chain as persisted, from the pinned version on; empty on a new host. */
  trusted: SignedDocument[]
  floor: Floor | undefined
  /** The host's clock, milliseconds since 1970. */
  now: number
  fleet: string
  channel: string
  host: string
  /** Roots that a source offers, from the version after the last trusted one on. */
  roots: SignedDocument[]
  release: SignedDocument
}

export type Accepted = {
  /** The whole chain, to persist before anything else happens. */
  roots: SignedDocument[]
  root: Root
  release: Release
  target: Target
  /** SHA-256 (hex) of the release's bytes. */
  digest: string
  /** Never below the one that came in; to persist before anything is fetched. */
  floor: Floor
  /** `same`: the release of the floor itself, byte for byte. */
  news: 'newer' | 'same'
  /**
   * The root or the release has expired since the release was first accepted: only with news
   * `same`. What runs goes on running; what is not installed yet must not be.
   */
  stale: boolean
  /** More roots wait at the source than one go takes: poll again soon. */
  moreRoots: boolean
}

/**
 * A release was refused, but the roots before it were not: they are persisted all the same, so that
 * a key they revoke stays revoked and a long chain gets on.
 */
export class ReleaseRefusedError extends RejectedError {
  /** The whole chain, to persist. */
  readonly roots: SignedDocument[]

  constructor(refusal: RejectedError, roots: SignedDocument[]) {
    super(refusal.code, refusal.message, { cause: refusal.cause ?? refusal, next: refusal.next })
    this.roots = roots
  }
}

/**
 * Errors: those of `extendChain`; and ReleaseRefusedError with `quorum`, `other-fleet`, `rollback`,
 * `version`, `equivocation`, `expired`, `no-target`, or what `decodeRelease` refuses.
 */
export function accept(input: AcceptInput): Accepted {
  const chain = extendChain(input)
  try {
    return acceptRelease(input, chain)
  } catch (error) {
    if (error instanceof RejectedError) throw new ReleaseRefusedError(error, chain.documents)
    throw error
  }
}

function acceptRelease(input: AcceptInput, chain: RootChain): Accepted {
  const { root } = chain
  const what = `${input.channel}/release.json`
  const options = { role: root.roles.release, namespace: namespaces.release, what }
  requireQuorum(input.release, options)
  const release = decodeRelease(input.release.bytes, what)
  requirePlace(release, input, what)
  const digest = digestOf(input.release)
  const news = requireOrder({ release, digest, root, floor: input.floor }, what)
  const stale = requireFresh({ root, release, news }, input, what)
  const target = findTarget(release, input.host, what)
  const floor = raiseFloor(input.floor, { release, digest, chain })
  const { documents: roots, more: moreRoots } = chain
  return { roots, root, release, target, digest, floor, news, stale, moreRoots }
}

function requirePlace(
  release: Release,
  { fleet, channel }: { fleet: string; channel: string },
  what: string,
): void {
  if (release.fleet === fleet && release.channel === channel) return
  const is = `it is of fleet "${release.fleet}" and channel "${release.channel}"`
  const wanted = `not of "${fleet}" and "${channel}"`
  throw new RejectedError('other-fleet', `Cannot accept "${what}": ${is}, ${wanted}`)
}

type Ordered = { release: Release; digest: string; root: Root; floor: Floor | undefined }

/**
 * A release belongs to the epoch of the newest root. So a stolen release key can spend all versions
 * of one epoch, but only the root quorum opens the next, where versions begin again.
 */
function requireOrder({ release, digest, root, floor }: Ordered, what: string): Accepted['news'] {
  const name = `epoch ${release.epoch}, version ${release.version}`
  if (release.epoch > root.epoch) {
    const is = `it is of ${name}, and the root of epoch ${root.epoch}`
    throw new RejectedError('version', `Cannot accept "${what}": ${is}`)
  }
  if (release.epoch < root.epoch) {
    const is = `it is of ${name}, and the root already of epoch ${root.epoch}`
    throw new RejectedError('rollback', `Cannot accept "${what}": ${is}`)
  }
  if (floor === undefined) return 'newer'
  const order = release.epoch - floor.epoch || release.version - floor.version
  if (order > 0) return 'newer'
  if (order < 0) {
    const is = `it is ${name}, older than epoch ${floor.epoch}, version ${floor.version}`
    throw new RejectedError('rollback', `Cannot accept "${what}": ${is}`)
  }
  if (digest === floor.digest) return 'same'
  const is = `${name} was accepted with SHA-256 ${floor.digest}, and is now ${digest}`
  throw new RejectedError('equivocation', `Cannot accept "${what}": ${is}`)
}

type Dated = { root: Root; release: Release; news: Accepted['news'] }

/** Whether it is stale; what is stale and new is refused. */
function requireFresh({ root, release, news }: Dated, input: AcceptInput, what: string): boolean {
  const now = provedNow(input.now, input.floor, root.epoch)
  const rootName = `root/${root.version}.json`
  const refusal =
    expiredError({ what: rootName, expires: root.expires, now, clock: input.now }) ??
    expiredError({ what, expires: release.expires, now, clock: input.now })
  if (refusal !== undefined && news === 'newer') throw refusal
  return refusal !== undefined
}

function findTarget(release: Release, host: string, what: string): Target {
  const target = release.hosts.get(host)
  if (target !== undefined) return target
  const is = `it names no system for the host "${host.slice(0, 253)}"`
  throw new RejectedError('no-target', `Cannot accept "${what}": ${is}`)
}

type Proved = { release: Release; digest: string; chain: RootChain }

/** The signed `issued` proves that this time has come; what an older epoch proved is forgotten. */
function raiseFloor(floor: Floor | undefined, { release, digest, chain }: Proved): Floor {
  return {
    epoch: release.epoch,
    version: release.version,
    digest,
    rootVersion: chain.root.version,
    rootDigest: chain.digest,
    time: Math.max(Date.parse(release.issued), provedNow(0, floor, release.epoch)),
  }
}
