import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { encodeClosure } from '../agent/codec/closure.ts'
import type { Closure, PathInfo, StorePath } from '../agent/codec/documents.ts'
import { RejectedError, UsageError } from '../agent/codec/errors.ts'
import { fingerprint, formatNarinfo, type Narinfo, parseNarinfo } from '../agent/codec/narinfo.ts'
import {
  type NixSecretKey,
  parseNixPublicKey,
  signWithNixKey,
  verifyNixSignature,
} from '../agent/codec/nix-key.ts'
import { parseStorePath } from '../agent/codec/store-path.ts'
import type { Store } from '../agent/store/store.ts'
import { CacheDirectory } from './cache-directory.ts'
import { packNar } from './pack-nar.ts'

export type WriteCacheRequest = {
  store: Store
  systems: StorePath[]
  /** Is made where it is missing; may be served, and written by others, meanwhile. */
  directory: string
  /** Signs every narinfo; without it, Nix takes only content-addressed paths from the cache. */
  signingKey?: NixSecretKey
  onProgress?: (progress: CacheProgress) => void
  signal?: AbortSignal
}

/** After each path that was written. `bytes` and `bytesMax` count NARs; what was there does not. */
export type CacheProgress = {
  path: StorePath
  done: number
  total: number
  bytes: number
  bytesMax: number
}

/** A system as a release names it: `closure` is the SHA-256 (hex) of the manifest. */
export type WrittenSystem = {
  system: StorePath
  closure: string
  closureSize: number
  /** How many paths its closure has. */
  paths: number
}

/** The systems in the order asked for; what was new in the cache, as NARs and compressed. */
export type CacheWrite = {
  systems: WrittenSystem[]
  newPaths: number
  newNarBytes: number
  newFileBytes: number
}

/**
 * Writes the closures of `systems` to a static binary cache: NARs, then narinfos, then closure
 * manifests, so that what is named is there. What the cache has already is left alone, so that an
 * interrupted write goes on where it was. Errors: `missing-path` from the store; HostError
 * `damaged`; UsageError `cache-conflict` where the cache holds another content of a path.
 */
export async function writeCache(request: WriteCacheRequest): Promise<CacheWrite> {
  const closures = request.systems.map((system): Closure => {
    return { system, paths: request.store.closure(system) }
  })
  const manifests = closures.map(encodeClosure)
  const paths = new Map(closures.flatMap(one => one.paths.map(info => [info.path, info])))
  const cache = new CacheDirectory(request.directory)
  try {
    await cache.writeCacheInfo()
    const written = await new PathWriter(request, cache).write([...paths.values()])
    const systems: WrittenSystem[] = []
    for (const [index, bytes] of manifests.entries()) {
      const closure = createHash('sha256').update(bytes).digest('hex')
      const name = `closures/${closure}.json`
      if (!cache.read(name)?.equals(bytes)) await cache.place(name, bytes)
      const { system, paths } = closures[index] as Closure
      systems.push({ system, closure, closureSize: bytes.length, paths: paths.length })
    }
    cache.sync('closures')
    return { systems, ...written }
  } finally {
    cache.close()
  }
}

/** Names of NARs are flushed for so many paths at once: a flush costs as much as a small path. */
const FLUSH_PATHS = 32

class PathWriter {
  readonly #request: WriteCacheRequest
  readonly #cache: CacheDirectory
  readonly #trusted
  #unnamed: Narinfo[] = []
  #total = 0
  #bytesMax = 0
  readonly #written = { newPaths: 0, newNarBytes: 0, newFileBytes: 0 }

  constructor(request: WriteCacheRequest, cache: CacheDirectory) {
    this.#request = request
    this.#cache = cache
    this.#trusted = request.signingKey && [parseNixPublicKey(request.signingKey.publicKey)]
  }

  async write(infos: PathInfo[]) {
    const missing: PathInfo[] = []
    for (const info of infos) {
      const known = this.#known(info)
      if (known === undefined) missing.push(info)
      else if (!this.#isSigned(known)) this.#unnamed.push(known)
    }
    // The largest first, so that none is left to be packed alone at the end.
    missing.sort((a, b) => b.narSize - a.narSize)
    this.#total = missing.length
    this.#bytesMax = missing.reduce((sum, info) => sum + info.narSize, 0)
    const workers = Array.from({ length: availableParallelism() + 1 }, () => this.#work(missing))
    const ends = await Promise.allSettled(workers)
    await this.#nameFinished()
    this.#cache.sync()
    const failed = ends.find(end => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return this.#written
  }

  /** Several of these take from one queue; reading and hashing overlaps with compression. */
  async #work(queue: PathInfo[]): Promise<void> {
    try {
      for (let info = queue.shift(); info !== undefined; info = queue.shift()) {
        this.#request.signal?.throwIfAborted()
        await this.#pack(info)
        if (this.#unnamed.length >= FLUSH_PATHS) await this.#nameFinished()
      }
    } catch (error) {
      queue.length = 0
      throw error
    }
  }

  async #pack(info: PathInfo): Promise<void> {
    const packed = await packNar(this.#request.store.physical(info.path), info, this.#cache)
    this.#unnamed.push({ ...info, ...packed, signatures: [] })
    const written = this.#written
    written.newPaths += 1
    written.newNarBytes += info.narSize
    written.newFileBytes += packed.fileSize
    this.#request.onProgress?.({
      path: info.path,
      done: written.newPaths,
      total: this.#total,
      bytes: written.newNarBytes,
      bytesMax: this.#bytesMax,
    })
  }

  /** Writes the narinfos of finished NARs, once the names of those are flushed. */
  async #nameFinished(): Promise<void> {
    const finished = this.#unnamed
    this.#unnamed = []
    this.#cache.sync('nar')
    await Promise.all(
      finished.map(info => {
        return this.#cache.place(narinfoName(info.path), formatNarinfo(this.#signed(info)))
      }),
    )
  }

  /** The narinfo of a path that the cache already has whole. */
  #known(info: PathInfo): Narinfo | undefined {
    const bytes = this.#cache.read(narinfoName(info.path))
    const known = bytes && parseOrForget(bytes, info.path)
    if (known === undefined) return undefined
    const size = this.#cache.size(known.url)
    if (size === undefined || size !== (known.fileSize ?? size)) return undefined
    if (fingerprint(known) === fingerprint(info)) return known
    const is = `"${this.#cache.path}" holds another content of it`
    throw new UsageError('cache-conflict', `Cannot publish "${info.path}": ${is}`)
  }

  #isSigned(info: Narinfo): boolean {
    const trusted = this.#trusted
    if (trusted === undefined) return true
    const text = fingerprint(info)
    return info.signatures.some(signature => verifyNixSignature(trusted, text, signature))
  }

  #signed(info: Narinfo): Narinfo {
    const key = this.#request.signingKey
    if (key === undefined) return info
    return { ...info, signatures: [...info.signatures, signWithNixKey(key, fingerprint(info))] }
  }
}

/** A malformed narinfo is written again, as if it were not there. */
function parseOrForget(bytes: Buffer, path: StorePath): Narinfo | undefined {
  try {
    return parseNarinfo(bytes, path)
  } catch (error) {
    if (error instanceof RejectedError) return undefined
    throw error
  }
}

function narinfoName(path: StorePath): string {
  return `${parseStorePath(path).hash}.narinfo`
}
