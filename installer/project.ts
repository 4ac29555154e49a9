/**
 * `holdfast.json`, the operator's side of a fleet, found from the working directory upwards. JSON
 * (see agent/codec/json.ts); docs/reference/holdfast-json.md lists its fields. Paths in it are
 * relative to the file.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { SourceConfig } from '../agent/codec/documents.ts'
import { isErrno, UsageError } from '../agent/codec/errors.ts'
import { type JsonObject, parseJsonObject } from '../agent/codec/json.ts'
import {
  asConfig,
  fieldError,
  optional,
  readObject,
  readString,
  readStrings,
  refuseUnknown,
} from '../agent/codec/json-fields.ts'
import { isChannelName, isFleetName } from '../agent/codec/names.ts'
import { readSources } from '../agent/codec/seed.ts'
import { readUrl } from '../agent/codec/url-field.ts'

export const PROJECT_FILE = 'holdfast.json'

/** All paths are absolute. */
export type Project = {
  file: string
  fleet: string
  channel: string
  /** The root of the store that systems are built in. */
  store: string
  /** Holds `<version>.json` and `<version>.json.sig`. */
  root: string
  keys: { root: string[]; release: string[] }
  cache: { directory: string; urls: string[]; signingKey?: string }
  git?: { url: string; branch: string }
  /** What hosts read. */
  sources: SourceConfig[]
  controller?: { url: string; tokenFile?: string }
}

/** `flag` is what `--project` said. Errors: UsageError `no-project`, `missing`, `config`. */
export function readProject(flag?: string): Project {
  const file = flag === undefined ? findProject(process.cwd()) : resolve(flag)
  const bytes = readProjectFile(file)
  return asConfig(() => decodeProject(parseJsonObject(bytes, { what: file }), file))
}

function findProject(from: string): string {
  for (let directory = resolve(from); ; directory = dirname(directory)) {
    const file = join(directory, PROJECT_FILE)
    if (existsSync(file)) return file
    if (directory === dirname(directory)) break
  }
  const is = 'neither it nor a directory above holds the file'
  throw new UsageError('no-project', `Cannot find "${PROJECT_FILE}" from "${from}": ${is}`)
}

function readProjectFile(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    const is = isErrno(cause, 'ENOENT') ? 'it does not exist' : 'it cannot be read'
    throw new UsageError('missing', `Cannot open "${file}": ${is}`, { cause })
  }
}

const keysOf = {
  top: ['fleet', 'channel', 'store', 'root', 'keys', 'cache', 'git', 'sources', 'controller'],
  keys: ['root', 'release'],
  cache: ['directory', 'urls', 'signingKey'],
  git: ['url', 'branch'],
  controller: ['url', 'tokenFile'],
}

function decodeProject(object: JsonObject, file: string): Project {
  refuseUnknown(object, keysOf.top, file)
  const at = (path: string) => resolve(dirname(file), path)
  const fleet = readString(object, 'fleet', file)
  if (!isFleetName(fleet)) throw fieldError(file, 'fleet', 'not a fleet name')
  const channel = readString(object, 'channel', file)
  if (!isChannelName(channel)) throw fieldError(file, 'channel', 'not a channel name')
  const git = readGit(object, file)
  const controller = readController(object, file)
  return {
    file,
    fleet,
    channel,
    store: at(optional(readString)(object, 'store', file) ?? 'store'),
    root: at(optional(readString)(object, 'root', file) ?? 'root'),
    keys: readKeys(object, file),
    cache: readCache(object, file),
    ...(git && { git }),
    sources: optional(readSources)(object, 'sources', file) ?? [],
    ...(controller && { controller }),
  }
}

function readKeys(parent: JsonObject, file: string): Project['keys'] {
  const object = optional(readObject)(parent, 'keys', file) ?? {}
  refuseUnknown(object, keysOf.keys, `${file}, keys`)
  const list = (key: string) => {
    const paths = optional(readStrings)(object, key, `${file}, keys`) ?? []
    return paths.map(path => resolve(dirname(file), path))
  }
  return { root: list('root'), release: list('release') }
}

function readCache(parent: JsonObject, file: string): Project['cache'] {
  const context = `${file}, cache`
  const object = optional(readObject)(parent, 'cache', file) ?? {}
  refuseUnknown(object, keysOf.cache, context)
  const urls = optional(readStrings)(object, 'urls', context) ?? []
  for (const url of urls) readUrl(url, 'urls', context)
  const at = (path: string) => resolve(dirname(file), path)
  const signingKey = optional(readString)(object, 'signingKey', context)
  return {
    directory: at(optional(readString)(object, 'directory', context) ?? 'cache'),
    urls,
    ...(signingKey !== undefined && { signingKey: at(signingKey) }),
  }
}

/** A repository that is written as a relative path lies relative to the file, too. */
function readGit(parent: JsonObject, file: string): Project['git'] {
  const object = optional(readObject)(parent, 'git', file)
  if (object === undefined) return undefined
  const context = `${file}, git`
  refuseUnknown(object, keysOf.git, context)
  const url = readString(object, 'url', context)
  const relative = /^\.\.?(\/|$)/.test(url)
  const branch = readString(object, 'branch', context)
  return { url: relative ? resolve(dirname(file), url) : url, branch }
}

function readController(parent: JsonObject, file: string): Project['controller'] {
  const object = optional(readObject)(parent, 'controller', file)
  if (object === undefined) return undefined
  const context = `${file}, controller`
  refuseUnknown(object, keysOf.controller, context)
  const url = readString(object, 'url', context)
  readUrl(url, 'url', context, { schemes: ['https:', 'http:'] })
  const tokenFile = optional(readString)(object, 'tokenFile', context)
  if (tokenFile === undefined) return { url }
  return { url, tokenFile: resolve(dirname(file), tokenFile) }
}
