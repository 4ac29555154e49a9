import type { Release, SignedDocument, StorePath, Target } from '../agent/codec/documents.ts'
import { RejectedError, TransientError, UsageError } from '../agent/codec/errors.ts'
import { decodeRelease, encodeRelease } from '../agent/codec/release.ts'
import { releasePath, rootPath, signaturesPath } from '../agent/source/release-tree.ts'
import type { Store } from '../agent/store/store.ts'
import { accept } from '../agent/trust/accept.ts'
import { digestOf } from '../agent/trust/root-chain.ts'
import type { CacheProgress } from './cache-write.ts'
import { mirrorTree } from './mirror-tree.ts'
import type { Project } from './project.ts'
import {
  type CacheCost,
  type CacheOrder,
  checkCacheDirectory,
  estimateCache,
  fillCache,
} from './publish-cache.ts'
import {
  completeTrust,
  floorOf,
  type Published,
  readPublished,
  type Trust,
} from './published-release.ts'
import { ReleaseBranch, type TreeFiles } from './release-branch.ts'
import { compareHosts, type HostChange, planHosts, type Wanted } from './release-diff.ts'
import { checkSigners, signRelease } from './release-sign.ts'

export type PublishRequest = {
  project: Project
  store: Store
  wanted: Wanted
  /** RFC 3339. */
  expires: string
  /** Looks at everything and changes nothing. */
  dryRun: boolean
  /** Stops before signing and returns the document's bytes. */
  unsigned: boolean
  /** A document that was prepared so, instead of a new one. */
  prepared?: Buffer
  /** Signatures of the prepared document that others made. */
  signatureFiles: string[]
  trustPrevious: boolean
  /** Of the commit. */
  message?: string
  signal: AbortSignal
  onProgress: (progress: CacheProgress) => void
}

export type PublishResult = {
  release: Release
  bytes: Buffer
  hosts: HostChange[]
  cost: CacheCost
  /** What the branch holds now; absent when nothing was pushed. */
  commit?: string
}

/** As often as another publisher may get in between before we give up. */
const PUSHES_MAX = 5

/**
 * Makes the next release out of the current one and publishes it: cache first, then the signature,
 * then the push, and the mirror beside the cache last. Before the push no host sees any of it.
 * Errors: UsageError for what a person can put right; TransientError for a repository out of reach.
 */
export async function publish(request: PublishRequest): Promise<PublishResult> {
  const { project, dryRun, unsigned, signatureFiles } = request
  const trust = requireTrust(project)
  const signers = { keys: project.keys.release, signatureFiles }
  if (!unsigned && !dryRun) checkSigners(signers, trust.root.roles.release)
  if (!dryRun) checkCacheDirectory(project.cache.directory)
  const git = requireGit(project)
  const cache = new LazyCache(request)
  for (let pushes = 0; pushes < PUSHES_MAX; pushes += 1) {
    request.signal.throwIfAborted()
    const branch = await ReleaseBranch.open({ ...git, signal: request.signal })
    try {
      const result = await publishOnce({ request, trust, branch, cache })
      if (result !== 'raced') return result
    } finally {
      branch.close()
    }
  }
  const is = `others pushed first ${PUSHES_MAX} times`
  throw new TransientError('push', `Cannot push branch "${git.branch}": ${is}`)
}

type Attempt = { request: PublishRequest; trust: Trust; branch: ReleaseBranch; cache: LazyCache }

async function publishOnce(attempt: Attempt): Promise<PublishResult | 'raced'> {
  const { request, trust, branch, cache } = attempt
  const { project, trustPrevious } = request
  const { fleet, channel } = project
  const place = { fleet, channel, trustPrevious }
  const published = await readPublished(path => branch.read(path), trust, place)
  const current = published?.release.hosts ?? new Map<string, Target>()
  if (request.prepared === undefined) planHosts(current, request.wanted) // Refuses early.
  const { cost } = cache
  const bytes = request.prepared ?? (await nextRelease(attempt, published))
  const release = decodeRelease(bytes, releasePath(channel))
  const result = { release, bytes, hosts: compareHosts(current, release.hosts), cost }
  requireNext(release, published, trust)
  if (request.dryRun || request.unsigned) return result
  const signers = { keys: project.keys.release, signatureFiles: request.signatureFiles }
  const document = signRelease(bytes, signers, trust.root.roles.release)
  verifyAsHost(document, { project, trust, published, release })
  const files = treeFiles(channel, trust, document)
  const subject = request.message ?? `Release ${release.version} of ${channel}`
  if ((await branch.push(files, subject)) === 'raced') return 'raced'
  mirrorTree(project.cache.directory, { channel, roots: trust.roots, release: document })
  return { ...result, ...(branch.head && { commit: branch.head }) }
}

async function nextRelease(attempt: Attempt, published: Published | undefined): Promise<Buffer> {
  const { request, trust, cache } = attempt
  const { project, wanted, expires } = request
  const current = published?.release.hosts ?? new Map<string, Target>()
  const targets = await cache.targets()
  const hosts = new Map<string, Target>()
  for (const { host, change, to } of planHosts(current, wanted)) {
    if (change === 'removed' || to === undefined) continue
    const target = targets.get(to) ?? current.get(host)
    if (target !== undefined) hosts.set(host, target)
  }
  return encodeRelease({
    fleet: project.fleet,
    channel: project.channel,
    epoch: trust.root.epoch,
    version: nextVersion(published, trust),
    issued: `${new Date().toISOString().slice(0, 19)}Z`,
    expires,
    caches: project.cache.urls,
    hosts,
    requires: [],
  })
}

/** Versions begin again in a new epoch. */
function nextVersion(published: Published | undefined, { root }: Trust): number {
  return published?.release.epoch === root.epoch ? published.release.version + 1 : 1
}

/** A prepared document may have been overtaken while people signed it. */
function requireNext(release: Release, published: Published | undefined, trust: Trust): void {
  const version = nextVersion(published, trust)
  if (release.version === version && release.epoch === trust.root.epoch) return
  const made = `epoch ${release.epoch}, version ${release.version}`
  const is = `it is ${made}, and next is epoch ${trust.root.epoch}, version ${version}`
  const next = 'Prepare it again with --unsigned'
  throw new UsageError('version', `Cannot publish "release.json": ${is}`, { next })
}

type Judged = { project: Project; trust: Trust; published: Published | undefined; release: Release }

/** The very check of a host that follows the channel, so that none refuses what is pushed. */
function verifyAsHost(document: SignedDocument, judged: Judged): void {
  const { project, trust, published, release } = judged
  const [first] = trust.roots
  const [host = ''] = release.hosts.keys()
  accept({
    pin: { version: first!.root.version, sha256: digestOf(first!) },
    trusted: trust.roots,
    floor: published && floorOf(published, trust),
    now: Date.now(),
    fleet: project.fleet,
    channel: project.channel,
    host,
    roots: [],
    release: document,
  })
}

function treeFiles(channel: string, { roots }: Trust, release: SignedDocument): TreeFiles {
  const files: TreeFiles = new Map()
  for (const { root, bytes, signatures } of roots) {
    files.set(rootPath(root.version), bytes)
    files.set(signaturesPath(rootPath(root.version)), signatures)
  }
  files.set(releasePath(channel), release.bytes)
  files.set(signaturesPath(releasePath(channel)), release.signatures)
  return files
}

function requireTrust(project: Project): Trust {
  const trust = completeTrust(project.root)
  const { fleet, version, expires } = trust.root
  if (fleet !== project.fleet) {
    const is = `the roots are of fleet "${fleet}", and ${project.file} says "${project.fleet}"`
    throw new UsageError('other-fleet', `Cannot publish "${project.channel}": ${is}`)
  }
  if (Date.parse(expires) > Date.now()) return trust
  const next = 'Renew it with holdfast root next'
  const is = `root ${version} expired at ${expires}`
  throw new UsageError('expired', `Cannot publish "${project.channel}": ${is}`, { next })
}

function requireGit({ git, cache, file }: Project): NonNullable<Project['git']> {
  if (cache.urls.length === 0) {
    const is = 'hosts would not know where to fetch from: "cache" has no "urls"'
    throw new UsageError('config', `Cannot publish from "${file}": ${is}`)
  }
  if (git !== undefined) return git
  throw new UsageError('config', `Cannot publish from "${file}": it has no "git"`)
}

/** The cache is looked at and filled once, however often the push is tried. */
class LazyCache {
  readonly cost: CacheCost
  readonly #order: CacheOrder
  readonly #dryRun: boolean
  #targets: Map<StorePath, Target> | undefined

  constructor({ store, project, wanted, signal, onProgress, dryRun }: PublishRequest) {
    const named = [...wanted.assign.values(), ...(wanted.all ? [wanted.all] : [])]
    const systems = [...new Set(named)]
    this.#order = { store, systems, cache: project.cache, signal, onProgress }
    this.#dryRun = dryRun
    this.cost = estimateCache(this.#order)
  }

  async targets(): Promise<Map<StorePath, Target>> {
    if (this.#dryRun) return placeholders(this.#order.systems)
    this.#targets ??= await fillCache(this.#order)
    return this.#targets
  }
}

/** A dry run shows systems, not digests: those cost reading every closure. */
function placeholders(systems: StorePath[]): Map<StorePath, Target> {
  return new Map(
    systems.map(system => [system, { system, closure: '0'.repeat(64), closureSize: 1 }]),
  )
}

/** What is wrong in what the operator publishes is for the operator to put right. */
export async function asOperatorError<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (cause) {
    if (!(cause instanceof RejectedError)) throw cause
    throw new UsageError(cause.code, cause.message, { cause, next: cause.next })
  }
}
