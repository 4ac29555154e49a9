import type { Release, Root, SignedDocument } from '../agent/codec/documents.ts'
import { RejectedError, UsageError } from '../agent/codec/errors.ts'
import type { Floor } from '../agent/codec/floor.ts'
import { decodeRelease } from '../agent/codec/release.ts'
import { namespaces } from '../agent/codec/sshsig.ts'
import { releasePath, signaturesPath } from '../agent/source/release-tree.ts'
import { requireQuorum } from '../agent/trust/quorum.ts'
import { digestOf, extendChain } from '../agent/trust/root-chain.ts'
import { type RootFile, readRoots, rootState, trustedRoots } from './root-files.ts'

/** The roots as hosts are going to walk them. */
export type Trust = { roots: RootFile[]; root: Root; digest: string }

/**
 * The chain up to the newest root that is signed enough: one that is being signed does not count.
 */
export function completeTrust(directory: string): Trust {
  const roots = readRoots(directory)
  while (roots.length > 1 && !rootState(roots, roots.length - 1).complete) roots.pop()
  const [first] = roots
  if (first === undefined || !rootState(roots, 0).complete) return trustedRoots(directory)
  const pin = { version: first.root.version, sha256: digestOf(first) }
  const { fleet } = first.root
  const { root, digest } = extendChain({ pin, trusted: roots, roots: [], fleet })
  return { roots, root, digest }
}

export type Published = { release: Release; document: SignedDocument }
export type ReadTree = (path: string) => Promise<Buffer | undefined>
export type PublishedPlace = { fleet: string; channel: string; trustPrevious: boolean }

/**
 * The release that is published now; its hosts go on into the next one, so it is verified first.
 * One that only an older root vouches for may come from a key that was revoked since: it is taken
 * with `trustPrevious` only. Errors: those of a host, and UsageError `quorum`.
 */
export async function readPublished(
  read: ReadTree,
  trust: Trust,
  { fleet, channel, trustPrevious }: PublishedPlace,
): Promise<Published | undefined> {
  const path = releasePath(channel)
  const bytes = await read(path)
  if (bytes === undefined) return undefined
  const signatures = (await read(signaturesPath(path))) ?? Buffer.alloc(0)
  const document = { bytes, signatures }
  verifyPublished(document, trust, { path, trustPrevious })
  const release = decodeRelease(bytes, path)
  if (release.fleet === fleet && release.channel === channel) return { release, document }
  const is = `it is of fleet "${release.fleet}" and channel "${release.channel}"`
  throw new UsageError('other-fleet', `Cannot go on from "${path}": ${is}`)
}

function verifyPublished(
  document: SignedDocument,
  { roots, root }: Trust,
  { path, trustPrevious }: { path: string; trustPrevious: boolean },
): void {
  const namespace = namespaces.release
  try {
    requireQuorum(document, { role: root.roles.release, namespace, what: path })
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error
    const older = roots.slice(0, -1).reverse()
    const by = older.find(({ root }) => counts(document, root))
    if (by === undefined) throw error
    if (trustPrevious) return
    const is = `only root ${by.root.version} vouches for it, and the newest is ${root.version}`
    const next = 'Check its hosts, then add --trust-previous to go on from it'
    throw new UsageError('quorum', `Cannot go on from "${path}": ${is}`, { cause: error, next })
  }
}

function counts(document: SignedDocument, root: Root): boolean {
  try {
    const options = { role: root.roles.release, namespace: namespaces.release, what: 'release' }
    requireQuorum(document, options)
    return true
  } catch (error) {
    if (error instanceof RejectedError) return false
    throw error
  }
}

/** What a host that follows the channel would hold now. */
export function floorOf(published: Published, { root, digest }: Trust): Floor {
  const { release, document } = published
  return {
    epoch: release.epoch,
    version: release.version,
    digest: digestOf(document),
    rootVersion: root.version,
    rootDigest: digest,
    time: Date.parse(release.issued),
  }
}
