import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Root, SignedDocument } from '../agent/codec/documents.ts'
import { RejectedError, UsageError } from '../agent/codec/errors.ts'
import { decodeRoot } from '../agent/codec/root.ts'
import { namespaces } from '../agent/codec/sshsig.ts'
import { writeDurably } from '../agent/files/durable.ts'
import { countSignatures, requireQuorum } from '../agent/trust/quorum.ts'
import { digestOf, extendChain } from '../agent/trust/root-chain.ts'

/** One `<version>.json` of a root directory, with its `.sig`, empty when there is none. */
export type RootFile = SignedDocument & { path: string; root: Root }

export type Count = { signed: number; threshold: number }
/** How far a root is signed: by its own quorum, and by the one before it. */
export type RootState = { version: number; own: Count; previous?: Count; complete: boolean }

export function rootPath(directory: string, version: number): string {
  return join(directory, `${version}.json`)
}

/**
 * Every root of a directory, lowest version first; they follow each other without a gap. Errors:
 * UsageError `missing` when there is none, `config` when one is damaged or missing in between.
 */
export function readRoots(directory: string): RootFile[] {
  const versions = listVersions(directory)
  if (versions.length === 0) {
    const next = 'Make the first with holdfast root init'
    throw new UsageError('missing', `Cannot open "${directory}": it holds no root`, { next })
  }
  return versions.map((version, index) => {
    if (version === (versions[0] ?? 0) + index) return readRoot(directory, version)
    const is = `root ${version - 1} is missing before ${version}`
    throw new UsageError('config', `Cannot use "${directory}": ${is}`)
  })
}

export function listVersions(directory: string): number[] {
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).filter(name => /^[1-9][0-9]*\.json$/.test(name))
  return names.map(name => Number.parseInt(name, 10)).sort((a, b) => a - b)
}

function readRoot(directory: string, version: number): RootFile {
  const path = rootPath(directory, version)
  const bytes = readFileSync(path)
  const signatures = existsSync(`${path}.sig`) ? readFileSync(`${path}.sig`) : Buffer.alloc(0)
  const root = asWrong(() => decodeRoot(bytes, path))
  if (root.version === version) return { path, bytes, signatures, root }
  throw new UsageError('config', `Cannot use "${path}": its version is ${root.version}`)
}

/**
 * The chain that hosts are going to walk, verified as they do, from the lowest version on. Errors:
 * UsageError `quorum` and the like when a root is not signed enough yet.
 */
export function trustedRoots(directory: string): { roots: RootFile[]; root: Root; digest: string } {
  const roots = readRoots(directory)
  const [first, ...rest] = roots as [RootFile, ...RootFile[]]
  return asWrong(() => {
    requireQuorum(first, {
      role: first.root.roles.root,
      namespace: namespaces.root,
      what: first.path,
    })
    const pin = { version: first.root.version, sha256: digestOf(first) }
    const { fleet } = first.root
    const { root, digest } = extendChain({ pin, trusted: [first, ...rest], roots: [], fleet })
    return { roots, root, digest }
  })
}

/** How many signatures the root at `index` has and needs. */
export function rootState(roots: RootFile[], index: number): RootState {
  const file = roots[index]!
  const count = (root: Root): Count => {
    const role = root.roles.root
    const { keys } = countSignatures(file, { role, namespace: namespaces.root })
    return { signed: keys.size, threshold: role.threshold }
  }
  const own = count(file.root)
  const before = roots[index - 1]
  const previous = before === undefined ? undefined : count(before.root)
  const complete = [own, previous].every(each => !each || each.signed >= each.threshold)
  return { version: file.root.version, own, ...(previous && { previous }), complete }
}

/** Writes a document and its signatures, each durably, the document first: unsigned it is inert. */
export function writeSigned(path: string, { bytes, signatures }: SignedDocument): void {
  mkdirSync(dirname(path), { recursive: true })
  const unchanged = existsSync(path) && readFileSync(path).equals(bytes)
  if (!unchanged) writeDurably(path, bytes, 0o644)
  if (signatures.length > 0) writeDurably(`${path}.sig`, signatures, 0o644)
}

/** What is wrong in the operator's own files ends a command, but is no verdict on a host. */
export function asWrong<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof RejectedError)) throw cause
    throw new UsageError(cause.code, cause.message, { cause, next: cause.next })
  }
}
