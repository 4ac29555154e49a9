/**
 * The build file: what `holdfast build` packs. Described for people in
 * docs/reference/build-file.md.
 */
import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isErrno, UsageError } from '../agent/codec/errors.ts'
import { isObject, type JsonObject, parseJsonObject } from '../agent/codec/json.ts'
import {
  asConfig,
  fieldError,
  optional,
  readObject,
  readString,
  readStrings,
  refuseUnknown,
} from '../agent/codec/json-fields.ts'
import { isStoreName } from '../agent/codec/store-path.ts'
import type { ServiceKind } from '../agent/system/layout-file.ts'

/** All paths are absolute, and exist. */
export type BuildFile = {
  name: string
  services: ServiceKind
  /** A root file system with a merged `/usr`. */
  rootfs?: string
  /** Path of the real init inside the root. */
  init?: string
  units?: string
  /** Undefined enables every unit of `units` that has an [Install] section. */
  enable: string[] | undefined
  mask: string[]
  etc?: string
  health?: string
  /** Name → directory; `@NAME@` in units, etc and health becomes the store path. */
  packages: Map<string, string>
  /** Undefined leaves the agent out: the system cannot boot or switch by itself. */
  agent: { config?: JsonObject } | undefined
}

const KEYS = ['type', 'name', 'services', 'rootfs', 'init', 'units', 'enable', 'mask', 'etc']
const ALL_KEYS = [...KEYS, 'health', 'packages', 'agent']
const TYPE = 'holdfast-build-1'
/** Where distributions keep theirs, newest convention first. */
const INITS = ['/usr/lib/systemd/systemd', '/usr/sbin/init', '/usr/bin/busybox']
const UNIT_NAME =
  /^[A-Za-z0-9:_.\\@-]+\.(service|socket|target|timer|mount|path|slice|swap|automount)$/

/** Reads and checks a build file. Errors: UsageError `config`, naming the field. */
export function readBuildFile(path: string): BuildFile {
  const file = resolve(path)
  return asConfig(() => {
    const object = parseJsonObject(readBytes(file), { what: path })
    return checkedBuildFile(object, path, dirname(file))
  })
}

function checkedBuildFile(object: JsonObject, context: string, base: string): BuildFile {
  refuseUnknown(object, ALL_KEYS, context)
  if (object.type !== undefined && object.type !== TYPE) {
    throw fieldError(context, 'type', `not "${TYPE}"`)
  }
  const name = readString(object, 'name', context)
  if (!isStoreName(`${name}-system`)) {
    throw fieldError(context, 'name', `"${name}", not letters, digits and + - . _ ? =`)
  }
  const folder = (key: string) => readFolder(object, key, { context, base })
  const rootfs = folder('rootfs')
  const services = readServices(object, context, rootfs)
  const init = readInit(object, context, { services, rootfs })
  return {
    name,
    services,
    ...defined({
      rootfs,
      init,
      units: folder('units'),
      etc: folder('etc'),
      health: folder('health'),
    }),
    enable: readUnits(object, 'enable', context),
    mask: readUnits(object, 'mask', context) ?? [],
    packages: readPackages(object, { context, base }),
    agent: readAgent(object, context),
  }
}

function readServices(object: JsonObject, context: string, rootfs?: string): ServiceKind {
  const services = optional(readString)(object, 'services', context)
  if (services === undefined) return rootfs === undefined ? 'plain' : 'systemd'
  if (services !== 'systemd' && services !== 'plain') {
    throw fieldError(context, 'services', `"${services}", neither "systemd" nor "plain"`)
  }
  if (services === 'systemd' && rootfs === undefined) {
    throw fieldError(context, 'rootfs', 'missing, and services under systemd need one')
  }
  return services
}

function readInit(
  object: JsonObject,
  context: string,
  of: { services: ServiceKind; rootfs: string | undefined },
): string | undefined {
  const { services, rootfs } = of
  const named = optional(readString)(object, 'init', context)
  if (rootfs === undefined) {
    if (named === undefined) return undefined
    throw fieldError(context, 'init', 'of no use without a rootfs')
  }
  if (!existsSync(join(rootfs, 'usr/bin')) && !existsSync(join(rootfs, 'usr/sbin'))) {
    throw fieldError(
      context,
      'rootfs',
      `"${rootfs}", which has no usr/bin: it is no root file system`,
    )
  }
  if (named !== undefined) {
    if (isPresent(rootfs, named)) return named
    throw fieldError(context, 'init', `"${named}", which is not in the rootfs`)
  }
  const found = INITS.find(init => isPresent(rootfs, init))
  if (found !== undefined || services === 'plain') return found
  throw fieldError(context, 'init', 'missing, and the rootfs has no /usr/lib/systemd/systemd')
}

/** Links inside a root file system point into that root, so only their being there is asked. */
function isPresent(rootfs: string, path: string): boolean {
  const stat = lstatSync(join(rootfs, path), { throwIfNoEntry: false })
  return path.startsWith('/') && (stat?.isFile() || stat?.isSymbolicLink()) === true
}

type Place = { context: string; base: string }

function readFolder(object: JsonObject, key: string, place: Place): string | undefined {
  const text = optional(readString)(object, key, place.context)
  return text === undefined ? undefined : checkedFolder(text, key, place)
}

function checkedFolder(text: string, key: string, { context, base }: Place): string {
  const path = resolve(base, text)
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path
  throw fieldError(context, key, `"${text}", which is not a directory`)
}

function readUnits(object: JsonObject, key: string, context: string): string[] | undefined {
  const names = optional(readStrings)(object, key, context)
  const wrong = names?.find(name => !UNIT_NAME.test(name))
  if (wrong === undefined) return names
  throw fieldError(context, key, `"${wrong}", which is not the full name of a unit`)
}

function readPackages(object: JsonObject, place: Place): Map<string, string> {
  const packages = optional(readObject)(object, 'packages', place.context) ?? {}
  const inside = `${place.context}, packages`
  return new Map(
    Object.keys(packages).map(name => {
      if (!isStoreName(name)) throw fieldError(inside, name, 'not a name for a store path')
      const text = readString(packages, name, inside)
      return [name, checkedFolder(text, name, { ...place, context: inside })]
    }),
  )
}

function readAgent(object: JsonObject, context: string): BuildFile['agent'] {
  const { agent } = object
  if (agent === undefined || agent === true) return {}
  if (agent === false) return undefined
  if (isObject(agent)) return { config: agent }
  throw fieldError(context, 'agent', 'neither true, false nor an object')
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT') && !isErrno(cause, 'EISDIR')) throw cause
    const is = isErrno(cause, 'ENOENT') ? 'it does not exist' : 'it is a directory'
    throw new UsageError('config', `Cannot read the build file "${file}": ${is}`, { cause })
  }
}

/** Leaves out what is undefined, so that an absent field is an absent key. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
