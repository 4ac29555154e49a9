/**
 * `<channel>/release.json`: which host runs which system. JSON (see json.ts) with:
 *
 *   type      "holdfast-release-1"
 *   fleet     name · channel name · epoch 0… · version 1…
 *   issued    RFC 3339 UTC · expires RFC 3339 UTC, later than issued
 *   caches    URLs of binary caches, best first: http:, https:, file:
 *   hosts     { <host name>: { system: store path, closure: SHA-256 hex, closureSize: bytes } }
 *   requires  names of features a reader must know; optional
 *
 * Fields that are not named here are ignored, so that later versions can add some.
 */
import type { Release, Target } from './documents.ts'
import { encodeJson, isObject, type JsonObject, parseJsonObject } from './json.ts'
import {
  fieldError,
  readInteger,
  readObject,
  readString,
  readStrings,
  readTime,
  readType,
} from './json-fields.ts'
import { isChannelName, isFleetName, isHostName } from './names.ts'
import { refuseUnknownFeatures } from './root.ts'
import { parseStorePath } from './store-path.ts'
import { readUrl } from './url-field.ts'

export const RELEASE_TYPE = 'holdfast-release-1'
/** A manifest of 150,000 paths; a whole NixOS desktop has 3,000. */
export const CLOSURE_BYTES_MAX = 64 * 1024 * 1024
const CACHES_MAX = 16
/** Features of releases that this version knows. */
const FEATURES: readonly string[] = []

/** Hosts come out sorted, so that the same release always has the same bytes. */
export function encodeRelease(release: Release): Buffer {
  const { fleet, channel, epoch, version, issued, expires, caches, requires } = release
  const head = { type: RELEASE_TYPE, fleet, channel, epoch, version, issued, expires, caches }
  const sorted = [...release.hosts].sort(([a], [b]) => (a < b ? -1 : 1))
  const hosts = sorted.map(([name, { system, closure, closureSize }]) => {
    return [name, { system, closure, closureSize }] as const
  })
  const tail = requires.length > 0 ? { requires } : {}
  return encodeJson({ ...head, hosts: Object.fromEntries(hosts), ...tail })
}

/** Errors: RejectedError `json`, `schema`, `version`, `store-path`, `no-target`, `requires`. */
export function decodeRelease(bytes: Uint8Array, what = 'release.json'): Release {
  const object = parseJsonObject(bytes, { what })
  readType(object, RELEASE_TYPE, what)
  const requires = refuseUnknownFeatures(object, FEATURES, what)
  const fleet = readString(object, 'fleet', what)
  if (!isFleetName(fleet)) throw fieldError(what, 'fleet', 'not a fleet name')
  const channel = readString(object, 'channel', what)
  if (!isChannelName(channel)) throw fieldError(what, 'channel', 'not a channel name')
  const epoch = readInteger(object, 'epoch', what, { code: 'version' })
  const version = readInteger(object, 'version', what, { min: 1, code: 'version' })
  const issued = readTime(object, 'issued', what)
  const expires = readTime(object, 'expires', what)
  if (Date.parse(expires) <= Date.parse(issued)) {
    throw fieldError(what, 'expires', 'not later than "issued"')
  }
  const caches = readStrings(object, 'caches', what)
  if (caches.length > CACHES_MAX) throw fieldError(what, 'caches', `more than ${CACHES_MAX} URLs`)
  for (const cache of caches) readUrl(cache, 'caches', what)
  const hosts = readHosts(readObject(object, 'hosts', what), what)
  return { fleet, channel, epoch, version, issued, expires, caches, hosts, requires }
}

/** One impossible entry refuses the release for all: what is wrong once was made wrongly. */
function readHosts(object: JsonObject, what: string): Map<string, Target> {
  const hosts = new Map<string, Target>()
  for (const [name, entry] of Object.entries(object)) {
    const context = `${what}, hosts`
    if (!isHostName(name)) throw fieldError(context, name, 'not a host name', 'no-target')
    if (!isObject(entry)) throw fieldError(context, name, 'not an object')
    hosts.set(name, readTarget(entry, `${context}.${name}`))
  }
  return hosts
}

function readTarget(object: JsonObject, context: string): Target {
  const system = parseStorePath(readString(object, 'system', context)).path
  const closure = readString(object, 'closure', context)
  if (!/^[0-9a-f]{64}$/.test(closure)) {
    throw fieldError(context, 'closure', 'not a SHA-256 in lower-case hex')
  }
  const limits = { min: 1, max: CLOSURE_BYTES_MAX }
  return { system, closure, closureSize: readInteger(object, 'closureSize', context, limits) }
}
