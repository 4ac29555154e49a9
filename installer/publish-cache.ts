import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PathInfo, StorePath, Target } from '../agent/codec/documents.ts'
import { messageOf, RejectedError, UsageError } from '../agent/codec/errors.ts'
import { parseNixSecretKey } from '../agent/codec/nix-key.ts'
import { parseStorePath } from '../agent/codec/store-path.ts'
import type { Store } from '../agent/store/store.ts'
import { type CacheProgress, writeCache } from './cache-write.ts'
import type { Project } from './project.ts'

/** What publishing writes to the cache, or would. */
export type CacheCost = {
  /** Of all systems named, each path once. */
  paths: number
  newPaths: number
  /** Of the new paths, as NARs: compressed they are smaller. */
  newNarBytes: number
}

export type CacheOrder = {
  store: Store
  systems: StorePath[]
  cache: Project['cache']
  signal: AbortSignal
  onProgress: (progress: CacheProgress) => void
}

/** Reads the store and looks at names in the cache; writes nothing. Errors: `missing-path`. */
export function estimateCache({ store, systems, cache }: CacheOrder): CacheCost {
  const infos = new Map<StorePath, PathInfo>()
  for (const system of systems) {
    for (const info of store.closure(system)) infos.set(info.path, info)
  }
  const fresh = [...infos.values()].filter(({ path }) => {
    return !existsSync(join(cache.directory, `${parseStorePath(path).hash}.narinfo`))
  })
  const newNarBytes = fresh.reduce((sum, { narSize }) => sum + narSize, 0)
  return { paths: infos.size, newPaths: fresh.length, newNarBytes }
}

/** Writes what is missing, and says how a release names each system. */
export async function fillCache(order: CacheOrder): Promise<Map<StorePath, Target>> {
  const { store, systems, cache, signal, onProgress } = order
  const signingKey = cache.signingKey === undefined ? undefined : readSigningKey(cache.signingKey)
  const { directory } = cache
  const common = { store, systems, directory, signal, onProgress }
  const written = await writeCache({ ...common, ...(signingKey && { signingKey }) })
  return new Map(
    written.systems.map(({ system, closure, closureSize }) => {
      return [system, { system, closure, closureSize }]
    }),
  )
}

/** Errors: UsageError `denied`, before anything else is done. */
export function checkCacheDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true })
    accessSync(directory, constants.W_OK | constants.X_OK)
  } catch (cause) {
    const is = `it cannot be written (${messageOf(cause)})`
    throw new UsageError('denied', `Cannot write a cache to "${directory}": ${is}`, { cause })
  }
}

function readSigningKey(file: string) {
  try {
    return parseNixSecretKey(readFileSync(file, 'utf8'))
  } catch (cause) {
    if (cause instanceof RejectedError) {
      throw new UsageError(cause.code, `Cannot sign with "${file}": it is no Nix secret key`)
    }
    throw new UsageError('missing', `Cannot open "${file}": it cannot be read`, { cause })
  }
}
