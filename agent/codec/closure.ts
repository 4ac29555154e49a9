/**
 * The closure manifest: one JSON object, named by the SHA-256 of its bytes.
 *
 *   { "type": "holdfast-closure-1", "system": path,
 *     "paths": [ { "path", "narHash", "narSize", "references": [path…], ["ca"] }… ],
 *     ["index": { "sha256", "size" }], ["requires": [feature…]] }
 *
 * Paths and references are sorted and distinct; the paths are the closure of `system`, no more and
 * no less; apart from itself, no path can be reached from itself. Encoded with sorted keys and
 * without white space, so that equal closures have equal digests.
 */
import type { Closure, PathInfo, StorePath } from './documents.ts'
import { RejectedError } from './errors.ts'
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from './json.ts'
import {
  readArray,
  readInteger,
  readObject,
  readString,
  readStrings,
  readType,
  refuseUnknown,
} from './json-fields.ts'
import { isNixHash } from './nix-hash.ts'
import { isStorePath } from './store-path.ts'

export const CLOSURE_TYPE = 'holdfast-closure-1'
const WHAT = 'closure manifest'
/** About 250,000 paths; the largest NixOS systems have 20,000. */
export const CLOSURE_BYTES_MAX = 64 * 1024 * 1024
/** No feature is known yet; a manifest that requires one is for a newer agent. */
const knownFeatures = new Set<string>()

/** A closure, and where its file index lies in the cache when the publisher wrote one. */
export type Manifest = Closure & { index?: { sha256: string; size: number } }

/** The canonical bytes. Fails with `closure` when `decodeClosure` would refuse them. */
export function encodeClosure(closure: Manifest): Buffer {
  const paths = [...closure.paths].sort(byPath).map(info => ({
    ...(info.ca === undefined ? {} : { ca: info.ca }),
    narHash: info.narHash,
    narSize: info.narSize,
    path: info.path,
    references: [...info.references].sort(),
  }))
  const index = closure.index && { sha256: closure.index.sha256, size: closure.index.size }
  const object = { ...(index && { index }), paths, system: closure.system, type: CLOSURE_TYPE }
  const bytes = Buffer.from(JSON.stringify(object))
  decodeClosure(bytes)
  return bytes
}

/** Fails with `json` or `closure`. The digest of the bytes is the caller's to check, before. */
export function decodeClosure(bytes: Uint8Array): Manifest {
  const object = parseJsonObject(bytes, { what: WHAT, bytesMax: CLOSURE_BYTES_MAX })
  readType(object, CLOSURE_TYPE, WHAT)
  if (object.requires !== undefined) refuseUnknownFeatures(readStrings(object, 'requires', WHAT))
  refuseUnknown(object, ['index', 'paths', 'requires', 'system', 'type'], WHAT)
  const system = storePath(object.system)
  const paths = readArray(object, 'paths', WHAT).map(readPath)
  strictlySorted(paths.map(info => info.path))
  checkGraph(system, paths)
  if (object.index === undefined) return { system, paths }
  return { system, paths, index: readIndex(readObject(object, 'index', WHAT)) }
}

function refuseUnknownFeatures(features: string[]): void {
  const unknown = features.find(feature => !knownFeatures.has(feature))
  if (unknown !== undefined) throw refuse(`it requires the unknown feature "${unknown}"`)
}

/** The paths, each after all that it refers to; fails with `closure` where that cannot be. */
export function referencesFirst(paths: PathInfo[]): PathInfo[] {
  const byName = new Map(paths.map(info => [info.path, info]))
  const waiting = new Map<StorePath, number>()
  const users = new Map<StorePath, PathInfo[]>()
  for (const info of paths) {
    const others = info.references.filter(path => path !== info.path)
    waiting.set(info.path, others.length)
    for (const path of others) {
      if (!byName.has(path)) throw refuse(`"${info.path}" refers to "${path}", which is not in it`)
      const known = users.get(path)
      if (known === undefined) users.set(path, [info])
      else known.push(info)
    }
  }
  const ordered = paths.filter(info => waiting.get(info.path) === 0)
  for (const info of ordered) {
    for (const user of users.get(info.path) ?? []) {
      const left = (waiting.get(user.path) ?? 0) - 1
      waiting.set(user.path, left)
      if (left === 0) ordered.push(user)
    }
  }
  if (ordered.length === paths.length) return ordered
  const stuck = paths.find(info => waiting.get(info.path) !== 0)?.path
  throw refuse(`"${stuck}" is part of a cycle or refers to one`)
}

function checkGraph(system: StorePath, paths: PathInfo[]): void {
  const byName = new Map(paths.map(info => [info.path, info]))
  if (!byName.has(system)) throw refuse(`it does not hold its own system "${system}"`)
  referencesFirst(paths)
  const reached = new Set([system])
  for (const path of reached) {
    for (const reference of byName.get(path)?.references ?? []) reached.add(reference)
  }
  const stray = paths.find(info => !reached.has(info.path))
  if (stray !== undefined) throw refuse(`its system does not need "${stray.path}"`)
}

function readPath(value: JsonValue): PathInfo {
  if (!isObject(value)) throw refuse('paths holds something that is not an object')
  const path = storePath(value.path)
  refuseUnknown(value, ['ca', 'narHash', 'narSize', 'path', 'references'], path)
  const narHash = readString(value, 'narHash', path)
  if (!isNixHash(narHash)) throw refuse(`narHash of "${path}" is malformed`)
  const narSize = readInteger(value, 'narSize', path)
  const references = readArray(value, 'references', path).map(storePath)
  strictlySorted(references)
  if (value.ca === undefined) return { path, narHash, narSize, references }
  const ca = readString(value, 'ca', path)
  if (!isContentAddress(ca)) throw refuse(`ca of "${path}" is malformed`)
  return { path, narHash, narSize, references, ca }
}

/** The grammar of Nix's content addresses; which of them fit a path is `content-address.ts`. */
function isContentAddress(text: string): boolean {
  return /^(text|fixed(:r|:git)?):(md5|sha1|sha256|sha512):[0-9a-df-np-sv-z]{26,103}$/.test(text)
}

function readIndex(object: JsonObject): { sha256: string; size: number } {
  refuseUnknown(object, ['sha256', 'size'], 'index')
  const sha256 = readString(object, 'sha256', 'index')
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw refuse('the sha256 of its index is malformed')
  return { sha256, size: readInteger(object, 'size', 'index') }
}

function storePath(value: JsonValue | undefined): StorePath {
  if (isStorePath(value)) return value
  throw refuse(`${JSON.stringify(value)?.slice(0, 300)} is not a store path`)
}

function strictlySorted(paths: StorePath[]): void {
  for (let index = 1; index < paths.length; index++) {
    const [before, after] = [paths[index - 1] ?? '', paths[index] ?? '']
    if (before === after) throw refuse(`"${after}" is there twice`)
    if (before > after) throw refuse(`"${after}" is not in order`)
  }
}

function byPath(a: PathInfo, b: PathInfo): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0
}

function refuse(why: string): RejectedError {
  return new RejectedError('closure', `Cannot use "${WHAT}": ${why}`)
}
