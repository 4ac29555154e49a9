/**
 * `root/<version>.json`: who may say what, for one fleet. JSON (see json.ts) with:
 *
 *   type      "holdfast-root-1"
 *   fleet     name · version 1… · epoch 0… · expires RFC 3339 UTC
 *   roles     { root, release, operator }, each { threshold, keys: ["ssh-ed25519 AAAA…", …] }
 *   requires  names of features a reader must know; optional
 *
 * Fields that are not named here are ignored, so that later versions can add some.
 */
import type { Role, RoleName, Root } from './documents.ts'
import { RejectedError } from './errors.ts'
import { encodeJson, type JsonObject, parseJsonObject } from './json.ts'
import {
  fieldError,
  optional,
  readInteger,
  readObject,
  readString,
  readStrings,
  readTime,
  readType,
} from './json-fields.ts'
import { isFleetName } from './names.ts'
import { parsePublicKey } from './ssh-key.ts'

export const ROOT_TYPE = 'holdfast-root-1'
export const ROLE_NAMES: readonly RoleName[] = ['root', 'release', 'operator']
/** As many as the signatures that are looked at. */
const KEYS_MAX = 32
/** Features of root documents that this version knows. */
const FEATURES: readonly string[] = []

export function encodeRoot(root: Root): Buffer {
  const { fleet, version, epoch, expires, roles } = root
  return encodeJson({ type: ROOT_TYPE, fleet, version, epoch, expires, roles })
}

/** Errors: RejectedError `json`, `schema`, `version`, `threshold`, `key`, `requires`. */
export function decodeRoot(bytes: Uint8Array, what = 'root.json'): Root {
  const object = parseJsonObject(bytes, { what })
  readType(object, ROOT_TYPE, what)
  refuseUnknownFeatures(object, FEATURES, what)
  const fleet = readName(object, 'fleet', what)
  const version = readInteger(object, 'version', what, { min: 1, code: 'version' })
  const epoch = readInteger(object, 'epoch', what, { code: 'version' })
  const expires = readTime(object, 'expires', what)
  const roles = readObject(object, 'roles', what)
  const role = (name: RoleName) => readRole(readObject(roles, name, `${what}, roles`), what, name)
  return {
    fleet,
    version,
    epoch,
    expires,
    roles: { root: role('root'), release: role('release'), operator: role('operator') },
  }
}

/** Keys are compared by their points: a second spelling or comment makes no second key. */
function readRole(object: JsonObject, what: string, name: RoleName): Role {
  const context = `${what}, roles.${name}`
  const points = new Set<string>()
  const keys: string[] = []
  for (const text of readStrings(object, 'keys', context)) {
    const { point, line } = parsePublicKey(text)
    if (points.has(point.toString('hex'))) {
      throw fieldError(context, 'keys', `an array that names ${line} twice`, 'threshold')
    }
    points.add(point.toString('hex'))
    keys.push(line)
  }
  if (keys.length > KEYS_MAX) {
    throw fieldError(context, 'keys', `${keys.length} keys, and at most ${KEYS_MAX} count`)
  }
  const limits = { min: 1, max: keys.length, code: 'threshold' } as const
  return { threshold: readInteger(object, 'threshold', context, limits), keys }
}

function readName(object: JsonObject, key: string, context: string): string {
  const name = readString(object, key, context)
  if (!isFleetName(name)) throw fieldError(context, key, 'not a name of letters, digits and ._-')
  return name
}

/** Errors: RejectedError `requires` when the document names a feature that is not in `known`. */
export function refuseUnknownFeatures(
  object: JsonObject,
  known: readonly string[],
  what: string,
): string[] {
  const features = optional(readStrings)(object, 'requires', what) ?? []
  for (const feature of features) {
    if (known.includes(feature)) continue
    const is = `it needs "${feature.slice(0, 60)}", which this version does not know`
    throw new RejectedError('requires', `Cannot use "${what}": ${is}`)
  }
  return features
}
