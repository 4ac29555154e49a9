/**
 * `layout.json` in a system path: what `holdfast build` put together, for the programs that
 * install, boot and switch it.
 *
 *   { "type": "holdfast-layout-1", "name": "web", "services": "systemd" | "plain",
 *     "init"?: path inside the root, "rootfs"?: store path, "etc": store path,
 *     "agent"?: store path }
 */
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { HostError, isErrno, RejectedError } from '../codec/errors.ts'
import { encodeJson, parseJsonObject } from '../codec/json.ts'
import { fieldError, optional, readString, readType, refuseUnknown } from '../codec/json-fields.ts'
import { parseStorePath } from '../codec/store-path.ts'
import { readPlainFile } from '../files/plain-file.ts'

/** Who starts and stops services: systemd, or the agent itself in a root of its own. */
export type ServiceKind = 'systemd' | 'plain'

export type Layout = {
  name: string
  services: ServiceKind
  /** The real init, as a path inside the root: `/usr/lib/systemd/systemd`. */
  init?: string
  /** Holds the `usr` that the root points at, and the first content of `var` and others. */
  rootfs?: StorePath
  /** What `/etc/static` points at. */
  etc: StorePath
  agent?: StorePath
}

const TYPE = 'holdfast-layout-1'
/** Eight short fields. */
const BYTES_MAX = 64 * 1024
const KEYS = ['type', 'name', 'services', 'init', 'rootfs', 'etc', 'agent']

export function encodeLayout(layout: Layout): Buffer {
  return encodeJson({ type: TYPE, ...layout })
}

/** Errors: RejectedError `json`, `schema` or `store-path`. */
export function decodeLayout(bytes: Uint8Array): Layout {
  const context = 'layout.json'
  const object = parseJsonObject(bytes, { what: context })
  readType(object, TYPE, context)
  refuseUnknown(object, KEYS, context)
  const services = readString(object, 'services', context)
  if (services !== 'systemd' && services !== 'plain') {
    throw fieldError(context, 'services', 'neither "systemd" nor "plain"')
  }
  const init = optional(readString)(object, 'init', context)
  const rootfs = optional(readString)(object, 'rootfs', context)
  const agent = optional(readString)(object, 'agent', context)
  return {
    name: readString(object, 'name', context),
    services,
    ...(init === undefined ? {} : { init }),
    ...(rootfs === undefined ? {} : { rootfs: parseStorePath(rootfs).path }),
    etc: parseStorePath(readString(object, 'etc', context)).path,
    ...(agent === undefined ? {} : { agent: parseStorePath(agent).path }),
  }
}

/** The layout of a system in the store of the root `prefix`. Errors: HostError `layout`. */
export function readLayout(prefix: string, system: StorePath): Layout {
  try {
    return decodeLayout(readPlainFile(join(prefix, system, 'layout.json'), BYTES_MAX))
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) {
      const is = 'it has no layout.json, or is not in the store'
      throw new HostError('layout', `Cannot use the system "${system}": ${is}`, { cause })
    }
    if (!(cause instanceof RejectedError)) throw cause
    throw new HostError('layout', `Cannot use the system "${system}": ${cause.message}`, { cause })
  }
}
