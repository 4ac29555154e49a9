/**
 * Brings what a closure lacks into the store: fetched in parallel into staging, verified against
 * the manifest, flushed, renamed, registered. Whatever ends it in between, nothing unverified is
 * registered, and what staging holds by then is verified again and used by the next call.
 */
import { lstatSync, mkdirSync, statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type Manifest, referencesFirst } from '../codec/closure.ts'
import type { PathInfo } from '../codec/documents.ts'
import { codeOf, HostError } from '../codec/errors.ts'
import { syncDirectory } from '../files/durable.ts'
import { startFlush } from './flush.ts'
import type { Location } from './locate.ts'
import { Mirrors } from './mirrors.ts'
import { makeStaging, moveIntoPlace, removeTree } from './staging.ts'
import type { Store } from './store.ts'
import { isThere } from './whole.ts'
import { WorkerPool } from './worker-pool.ts'

/** Beyond four, memory grows and the disk decides. */
const WORKERS_MAX = 4
/** Fetches under way in each worker: enough to keep it busy across a long round trip. */
const LANES_PER_WORKER = 16
/** How many paths ahead of the fetches their place in the cache is asked for. */
const LOCATE_AHEAD = 256
/** What a fetch leaves free: room for logs, the registry and the journal. */
const RESERVE_BYTES = 64 * 1024 * 1024
/**
 * What is written between two flushes while the fetch goes on. Each of them commits the journal and
 * writes out files that are not whole yet, so more of them take more of the CPU.
 */
const FLUSH_BYTES = 512 * 1024 * 1024
/** Before this much is left, one more, so that the flush at the end is a short one. */
const FLUSH_LAST_BYTES = 96 * 1024 * 1024
/** Each path takes at least its directory and the rest of a last block. */
const PATH_OVERHEAD_BYTES = 16 * 1024

export type RealiseProgress = {
  paths: number
  pathsTotal: number
  /** Of unpacked archives. */
  bytes: number
  bytesTotal: number
}

export type RealiseRequest = {
  store: Store
  closure: Manifest
  /** URLs of caches, best first: http(s):// or file://. */
  caches: string[]
  signal: AbortSignal
  onProgress?: (progress: RealiseProgress) => void
  /** How much must stay free on the store's file system. */
  reserveBytes?: number
  workers?: number
}

/** What was fetched, in numbers: paths, and bytes as they came from the caches. */
export type Realised = { fetchedPaths: number; fetchedBytes: number }

/**
 * Errors: HostError `no-space` before anything is fetched, or when the disk fills up all the same;
 * TransientError with the code of the last mirror's fault; the signal's reason.
 */
export async function realise(request: RealiseRequest): Promise<Realised> {
  request.signal.throwIfAborted()
  const { store, closure } = request
  const missing = closure.paths.filter(({ path }) => !isThere(store, path))
  if (missing.length === 0) return { fetchedPaths: 0, fetchedBytes: 0 }
  requireSpace(request, missing)
  const fetch = new Fetch(request, missing)
  try {
    return await fetch.run()
  } catch (error) {
    // Half a closure helps nobody on a full disk; otherwise the next call goes on with it.
    if (codeOf(error) === 'no-space') removeTree(fetch.staging)
    throw error
  }
}

function requireSpace(request: RealiseRequest, missing: PathInfo[]): void {
  const { store, reserveBytes = RESERVE_BYTES } = request
  const disk = statfsSync(join(store.root, 'nix/store'))
  const free = disk.bavail * disk.bsize
  const needed = missing.reduce((sum, info) => sum + info.narSize + PATH_OVERHEAD_BYTES, 0)
  if (needed + reserveBytes <= free) return
  const [need, have] = [needed + reserveBytes, free].map(bytes => Math.ceil(bytes / 2 ** 20))
  throw new HostError(
    'no-space',
    `Cannot fetch "${request.closure.system}": it needs ${need} MiB free, and there are ${have}`,
  )
}

class Fetch {
  readonly staging: string
  readonly #request: RealiseRequest
  readonly #missing: PathInfo[]
  readonly #mirrors: Mirrors
  readonly #pool: WorkerPool
  readonly #locations: Promise<Located>[] = []
  readonly #progress: RealiseProgress
  readonly #realised: Realised = { fetchedPaths: 0, fetchedBytes: 0 }
  #flushAt: number
  #flushing = false
  /** The paths of verified trees: in staging, or already in their place. */
  readonly #verified = new Map<PathInfo, string>()

  constructor(request: RealiseRequest, missing: PathInfo[]) {
    this.#request = request
    // The largest first, so that none of them is alone at the end.
    this.#missing = missing.toSorted((a, b) => b.narSize - a.narSize)
    this.#mirrors = new Mirrors(request.caches)
    this.staging = makeStaging(request.store.root, 'fetch')
    const bytesTotal = missing.reduce((sum, info) => sum + info.narSize, 0)
    this.#progress = { paths: 0, pathsTotal: missing.length, bytes: 0, bytesTotal }
    this.#flushAt = nextFlush(this.#progress)
    this.#pool = new WorkerPool({
      staging: this.staging,
      narrowUmask: (process.umask() & 0o555) !== 0,
      workers: Math.min(request.workers ?? defaultWorkers(), missing.length),
      signal: request.signal,
      onWritten: bytes => this.#tell(0, bytes),
    })
  }

  async run(): Promise<Realised> {
    try {
      removeTree(join(this.staging, 'new'))
      for (const name of ['new', 'done']) mkdirSync(join(this.staging, name), { recursive: true })
      await this.#obtainAll()
      await this.#pool.call({ kind: 'flush', paths: [...this.#verified.values()] })
      this.#request.signal.throwIfAborted()
    } finally {
      await this.#pool.close()
      // What a worker was at when it was ended.
      removeTree(join(this.staging, 'new'))
    }
    this.#install()
    return this.#realised
  }

  /** One queue that every lane takes from, so no lane waits while there is work. */
  async #obtainAll(): Promise<void> {
    const workers = this.#request.workers ?? defaultWorkers()
    const queue = this.#missing.entries()
    const lane = async () => {
      for (const [index, info] of queue) {
        this.#verified.set(info, await this.#obtain(info, index))
        this.#tell(1, 0)
      }
    }
    await Promise.all(Array.from({ length: workers * LANES_PER_WORKER }, lane))
  }

  /** The path of a verified tree. */
  async #obtain(info: PathInfo, index: number): Promise<string> {
    const done = join(this.staging, 'done', basename(info.path))
    for (const at of [done, this.#request.store.physical(info.path)]) {
      if (await this.#isGood(info, at)) return at
    }
    removeTree(done)
    this.#locateAhead(index)
    const { signal } = this.#request
    const received = await this.#mirrors.first(info.path, signal, async mirror => {
      const location = await this.#locate(info, index, mirror)
      return await this.#pool.call({ kind: 'fetch', mirror, location, info }, info.narSize)
    })
    this.#realised.fetchedPaths++
    this.#realised.fetchedBytes += received
    return done
  }

  /** Most often nothing is there, which needs no worker to see. */
  async #isGood(info: PathInfo, at: string): Promise<boolean> {
    if (lstatSync(at, { throwIfNoEntry: false }) === undefined) return false
    if (!(await this.#pool.call({ kind: 'check', at, info }, info.narSize))) return false
    this.#tell(0, info.narSize)
    return true
  }

  #locateAhead(index: number): void {
    const { best: mirror } = this.#mirrors
    if (mirror === undefined) return
    const end = Math.min(index + LOCATE_AHEAD, this.#missing.length)
    while (this.#locations.length < end) {
      const { path } = this.#missing[this.#locations.length]!
      const located = this.#pool
        .call({ kind: 'locate', mirror, path })
        .then(location => ({ mirror, location }))
      // Whoever needs it hears of the failure.
      located.catch(() => {})
      this.#locations.push(located)
    }
  }

  /** What was found ahead serves for that mirror; for another one, or once more, it is asked. */
  async #locate(info: PathInfo, index: number, mirror: string): Promise<Location> {
    const ahead = this.#locations[index]
    delete this.#locations[index]
    const located = await ahead?.catch(() => undefined)
    if (located?.mirror === mirror) return located.location
    return await this.#pool.call({ kind: 'locate', mirror, path: info.path })
  }

  #install(): void {
    const { store } = this.#request
    const directory = dirname(store.physical(this.#missing[0]!.path))
    for (const [info, at] of this.#verified) {
      const final = store.physical(info.path)
      if (at !== final) moveIntoPlace(at, final, this.staging)
    }
    syncDirectory(directory)
    const ordered = referencesFirst(this.#request.closure.paths)
    store.register(ordered.filter(info => this.#verified.has(info)))
    removeTree(this.staging)
  }

  /** So that the disk works while the network does, and the flush at the end finds little left. */
  #flushAhead(): void {
    this.#flushAt = nextFlush(this.#progress)
    this.#flushing = true
    // Best effort: the flush at the end is the one that counts.
    startFlush(this.staging, () => {
      this.#flushing = false
    })
  }

  #tell(paths: number, bytes: number): void {
    this.#progress.paths += paths
    this.#progress.bytes += bytes
    if (this.#progress.bytes >= this.#flushAt && !this.#flushing) this.#flushAhead()
    this.#request.onProgress?.({ ...this.#progress })
  }
}

type Located = { mirror: string; location: Location }

/** At how many bytes; not at all for what is quickly flushed at the end. */
function nextFlush({ bytes, bytesTotal }: RealiseProgress): number {
  const last = bytesTotal - FLUSH_LAST_BYTES
  return bytes < last ? Math.min(bytes + FLUSH_BYTES, last) : Number.POSITIVE_INFINITY
}

function defaultWorkers(): number {
  return Math.min(WORKERS_MAX, availableParallelism())
}
