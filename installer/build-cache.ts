/**
 * Remembers which store path a tree became, by a fingerprint of every file's metadata, so that a
 * root file system of gigabytes is not copied and hashed again for each release. Whatever changes
 * a file changes its ctime, which no program can set back; the file's bytes need not be read.
 */
import { createHash, type Hash } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { StorePath } from '../agent/codec/documents.ts'
import { UsageError } from '../agent/codec/errors.ts'
import { isObject, parseJson } from '../agent/codec/json.ts'
import { isStorePath } from '../agent/codec/store-path.ts'
import { writeDurably } from '../agent/files/durable.ts'
import type { Store } from '../agent/store/store.ts'
import { besideStore } from './scratch.ts'

/** Fingerprint → store path, newest last. */
export type BuildCache = { entries: Map<string, StorePath>; file: string }

/** More than a build makes; the oldest go first. */
const ENTRIES_MAX = 64

type CacheRequest = {
  store: Store
  cache: BuildCache
  /** Tells apart what is made of the same sources in different ways. */
  name: string
  sources: string[]
}

/** A cache that cannot be read is an empty one: it only saves time. */
export function openBuildCache(store: Store): BuildCache {
  const file = join(besideStore(store), 'build-cache.json')
  const entries = new Map<string, StorePath>()
  try {
    const value = parseJson(readFileSync(file), { what: file })
    for (const [key, path] of Object.entries(isObject(value) ? value : {})) {
      if (isStorePath(path)) entries.set(key, path)
    }
  } catch {
    entries.clear()
  }
  return { entries, file }
}

/** The path that the sources became last time, or what `make` makes of them now. */
export function cachedPath(request: CacheRequest, make: () => StorePath): StorePath {
  const { store, cache, sources } = request
  const key = fingerprint(request)
  const known = cache.entries.get(key)
  if (known !== undefined && store.has(known)) return known
  const path = make()
  if (fingerprint(request) !== key) {
    const is = 'its files changed while they were read'
    throw new UsageError('config', `Cannot pack "${sources[0]}": ${is}`, { next: 'Run it again' })
  }
  cache.entries.delete(key)
  cache.entries.set(key, path)
  saveCache(cache)
  return path
}

function saveCache(cache: BuildCache): void {
  const newest = [...cache.entries].slice(-ENTRIES_MAX)
  mkdirSync(dirname(cache.file), { recursive: true })
  writeDurably(cache.file, JSON.stringify(Object.fromEntries(newest)), 0o644)
}

function fingerprint(request: CacheRequest): string {
  const hash = createHash('sha256').update(`1 ${request.name}\0`)
  for (const source of request.sources) addTree(hash, source)
  return hash.digest('hex')
}

function addTree(hash: Hash, path: string): void {
  const stat = lstatSync(path, { bigint: true })
  const { dev, ino, mode, size, mtimeNs, ctimeNs } = stat
  hash.update(`${path}\0${dev} ${ino} ${mode} ${size} ${mtimeNs} ${ctimeNs}\n`)
  if (!stat.isDirectory()) return
  for (const name of readdirSync(path).sort()) addTree(hash, join(path, name))
}
