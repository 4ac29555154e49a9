/**
 * The seed: the few bytes that a host is given at its first boot. JSON (see json.ts) with:
 *
 *   type        "holdfast-seed-1"
 *   fleet       name · host host name · channel name
 *   root        { version: 1…, sha256: hex of that root's exact bytes }
 *   sources     1 to 8 of { git: URL, branch } · { http: URL } · { directory: absolute path }
 *   controller  { url, token }; both optional
 *
 * Unknown fields are refused: a seed is handed over once, and a typing error must show at once.
 * No message repeats a URL or the token, since both may be secret.
 */
import type { Seed, SourceConfig } from './documents.ts'
import { encodeJson, isObject, type JsonObject, type JsonValue, parseJsonObject } from './json.ts'
import {
  fieldError,
  optional,
  readArray,
  readInteger,
  readObject,
  readString,
  readType,
  refuseUnknown,
} from './json-fields.ts'
import { isChannelName, isFleetName, isHostName } from './names.ts'
import { readUrl } from './url-field.ts'

export const SEED_TYPE = 'holdfast-seed-1'
/** It travels as a systemd credential and on kernel command lines. */
const SEED_BYTES_MAX = 64 * 1024
const SOURCES_MAX = 8
const GIT_SCHEMES = ['https:', 'http:', 'file:', 'ssh:'] as const
const HTTP_SCHEMES = ['https:', 'http:'] as const

export function encodeSeed({ fleet, host, channel, root, sources, controller }: Seed): Buffer {
  const { version, sha256 } = root
  const head = { type: SEED_TYPE, fleet, host, channel, root: { version, sha256 }, sources }
  return encodeJson(controller === undefined ? head : { ...head, controller })
}

/** Errors: RejectedError `json` and `schema`. */
export function decodeSeed(bytes: Uint8Array, what = 'seed.json'): Seed {
  const object = parseJsonObject(bytes, { what, bytesMax: SEED_BYTES_MAX })
  readType(object, SEED_TYPE, what)
  const known = ['type', 'fleet', 'host', 'channel', 'root', 'sources', 'controller']
  refuseUnknown(object, known, what)
  const name = (key: string, holds: (text: string) => boolean) => {
    const text = readString(object, key, what)
    if (!holds(text)) throw fieldError(what, key, `not a ${key} name`)
    return text
  }
  const controller = optional(readController)(object, 'controller', what)
  return {
    fleet: name('fleet', isFleetName),
    host: name('host', isHostName),
    channel: name('channel', isChannelName),
    root: readPin(object, 'root', what),
    sources: readSources(object, 'sources', what),
    ...(controller === undefined ? {} : { controller }),
  }
}

function readPin(parent: JsonObject, key: string, what: string): Seed['root'] {
  const object = readObject(parent, key, what)
  const context = `${what}, ${key}`
  refuseUnknown(object, ['version', 'sha256'], context)
  const sha256 = readString(object, 'sha256', context)
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw fieldError(context, 'sha256', 'not a SHA-256 in lower-case hex')
  }
  return { version: readInteger(object, 'version', context, { min: 1 }), sha256 }
}

/** An array of sources, as seed, agent configuration and project file hold it. */
export function readSources(parent: JsonObject, key: string, what: string): SourceConfig[] {
  const values = readArray(parent, key, what)
  if (values.length === 0 || values.length > SOURCES_MAX) {
    throw fieldError(what, key, `an array of ${values.length}, not of 1 to ${SOURCES_MAX} sources`)
  }
  return values.map((value, index) => readSource(value, `${what}, ${key}[${index}]`))
}

function readSource(value: JsonValue, context: string): SourceConfig {
  const object = isObject(value) ? value : {}
  if ('git' in object) {
    refuseUnknown(object, ['git', 'branch'], context)
    const git = readText(object, 'git', context)
    readUrl(git, 'git', context, { schemes: GIT_SCHEMES })
    return { git, branch: readBranch(object, context) }
  }
  if ('http' in object) {
    refuseUnknown(object, ['http'], context)
    const http = readText(object, 'http', context)
    readUrl(http, 'http', context, { schemes: HTTP_SCHEMES })
    return { http }
  }
  refuseUnknown(object, ['directory'], context)
  const directory = readText(object, 'directory', context)
  if (!directory.startsWith('/')) throw fieldError(context, 'directory', 'not an absolute path')
  return { directory }
}

/** What git itself lets a branch be called, less what a command line or a refspec could misread. */
function readBranch(object: JsonObject, context: string): string {
  const branch = readText(object, 'branch', context)
  const wrong = /^[-/.]|[ ~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(\/|$)|[/.]$/.test(branch)
  if (wrong || branch.length > 200) throw fieldError(context, 'branch', 'not a branch name')
  return branch
}

function readController(parent: JsonObject, key: string, what: string) {
  const object = readObject(parent, key, what)
  const context = `${what}, ${key}`
  refuseUnknown(object, ['url', 'token'], context)
  const url = readText(object, 'url', context)
  readUrl(url, 'url', context, { schemes: HTTP_SCHEMES })
  const token = optional(readText)(object, 'token', context)
  return token === undefined ? { url } : { url, token }
}

/** A string that is not empty and has no control character. */
function readText(object: JsonObject, key: string, context: string): string {
  const text = readString(object, key, context)
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text)) {
    throw fieldError(context, key, 'empty, or has a control character')
  }
  return text
}
