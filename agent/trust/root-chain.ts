import { createHash } from 'node:crypto'
import type { Root, Seed, SignedDocument } from '../codec/documents.ts'
import { RejectedError } from '../codec/errors.ts'
import type { Floor } from '../codec/floor.ts'
import { decodeRoot } from '../codec/root.ts'
import { namespaces } from '../codec/sshsig.ts'
import { requireQuorum } from './quorum.ts'

/** How many new roots one poll may bring; more wait for the next. */
export const ROOTS_PER_GO_MAX = 64

export type RootChain = {
  /** Every root from the pinned one on: what is persisted. */
  documents: SignedDocument[]
  /** The newest: the one that counts now. */
  root: Root
  digest: string
  /** More roots were offered than ROOTS_PER_GO_MAX: ask again soon. */
  more: boolean
}

export type ChainInput = {
  /** The one root that the seed names. */
  pin: Seed['root']
  /** The chain as persisted, from the pinned version on; empty on a new host. */
  trusted: SignedDocument[]
  /** What a source offers, from the version after the last trusted one on. */
  roots: SignedDocument[]
  fleet: string
  floor?: Floor | undefined
}

/**
 * Walks from the pinned root to the newest that is offered. Every root after the pinned one is
 * signed by the quorums of its predecessor and of itself. Expiry is not looked at here: an expired
 * root may still name its successor. Errors: RejectedError `pin`, `root-version`, `quorum`,
 * `other-fleet`, `rollback`, `equivocation`, and those of `decodeRoot`.
 */
export function extendChain({ pin, trusted, roots, fleet, floor }: ChainInput): RootChain {
  const documents = [...trusted, ...roots.slice(0, ROOTS_PER_GO_MAX)]
  const [first, ...rest] = documents
  if (first === undefined) {
    const is = 'neither this host nor the source has a root'
    throw new RejectedError('pin', `Cannot trust "root/${pin.version}.json": ${is}`)
  }
  let root = openPinned(first, pin)
  for (const document of rest) root = follow(root, document)
  if (root.fleet !== fleet) throw otherFleet(root, fleet)
  const chain = { documents, root, digest: digestOf(documents.at(-1)!) }
  if (floor !== undefined) holdFloor(chain, floor)
  return { ...chain, more: roots.length > ROOTS_PER_GO_MAX }
}

/**
 * The beginning of a stored chain that still is what was once trusted: what follows damage is asked
 * of the sources again, and the floor sees to it that they give no less.
 */
export function soundBeginning(pin: Seed['root'], stored: SignedDocument[]): SignedDocument[] {
  let root: Root | undefined
  for (const [index, document] of stored.entries()) {
    try {
      root = root === undefined ? openPinned(document, pin) : follow(root, document)
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error
      return stored.slice(0, index)
    }
  }
  return stored
}

/** SHA-256 (hex) of the exact bytes. */
export function digestOf({ bytes }: Pick<SignedDocument, 'bytes'>): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function openPinned(document: SignedDocument, pin: Seed['root']): Root {
  const what = `root/${pin.version}.json`
  const digest = digestOf(document)
  if (digest !== pin.sha256) {
    const is = `its SHA-256 is ${digest}, and the seed pins ${pin.sha256}`
    throw new RejectedError('pin', `Cannot trust "${what}": ${is}`)
  }
  const root = decodeRoot(document.bytes, what)
  if (root.version === pin.version) return root
  const is = `its version is ${root.version}, and the seed pins version ${pin.version}`
  throw new RejectedError('pin', `Cannot trust "${what}": ${is}`)
}

/** The old quorum speaks before a byte of the new root is read; then the new one. */
export function follow(old: Root, document: SignedDocument): Root {
  const what = `root/${old.version + 1}.json`
  const namespace = namespaces.root
  requireQuorum(document, {
    role: old.roles.root,
    namespace,
    what: `${what}, as the successor of ${old.version}`,
  })
  const next = decodeRoot(document.bytes, what)
  requireQuorum(document, { role: next.roles.root, namespace, what })
  if (next.version !== old.version + 1) {
    const is = `its version is ${next.version}, and only ${old.version + 1} can follow`
    throw new RejectedError('root-version', `Cannot trust "${what}": ${is}`)
  }
  if (next.fleet !== old.fleet) throw otherFleet(next, old.fleet)
  if (next.epoch < old.epoch) {
    const is = `its epoch ${next.epoch} goes back from ${old.epoch}`
    throw new RejectedError('rollback', `Cannot trust "${what}": ${is}`)
  }
  return next
}

/** A chain that was cut or replaced on the disk must not undo what the host already knew. */
function holdFloor({ root, digest }: { root: Root; digest: string }, floor: Floor): void {
  const what = `root/${root.version}.json`
  if (root.version < floor.rootVersion) {
    const is = `this host has already trusted root ${floor.rootVersion}`
    throw new RejectedError('rollback', `Cannot trust "${what}": ${is}`)
  }
  if (root.version === floor.rootVersion && digest !== floor.rootDigest) {
    const is = `its SHA-256 is ${digest}, and this host trusted ${floor.rootDigest} as that version`
    throw new RejectedError('equivocation', `Cannot trust "${what}": ${is}`)
  }
}

function otherFleet(root: Root, fleet: string): RejectedError {
  const is = `it is of the fleet "${root.fleet}", not "${fleet}"`
  return new RejectedError('other-fleet', `Cannot trust "root/${root.version}.json": ${is}`)
}
