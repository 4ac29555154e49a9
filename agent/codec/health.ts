/**
 * One probe of a system, `health/<name>.json`:
 *
 *   { "kind": "http", "url": "http://127.0.0.1:8080/", "status"?: 200 }
 *   { "kind": "tcp", "host": "127.0.0.1", "port": 22 }
 *   { "kind": "exec", "command": ["/nix/store/…/bin/check", "--all"] }
 *   { "kind": "unit", "unit": "web.service" }
 *
 * and in each of them "name"? for people, and "timeoutSeconds"? after which a hang is a failure.
 */
import { encodeJson, type JsonObject, parseJsonObject } from './json.ts'
import {
  fieldError,
  optional,
  readInteger,
  readString,
  readStrings,
  refuseUnknown,
} from './json-fields.ts'

type Common = { name: string; timeoutSeconds: number }
export type HttpProbe = Common & { kind: 'http'; url: string; status: number }
export type TcpProbe = Common & { kind: 'tcp'; host: string; port: number }
export type ExecProbe = Common & { kind: 'exec'; command: string[] }
export type UnitProbe = Common & { kind: 'unit'; unit: string }
export type Probe = HttpProbe | TcpProbe | ExecProbe | UnitProbe

/** Probes of one system, and bytes of one file: on a host a system is data from elsewhere. */
export const PROBES_MAX = 64
export const PROBE_BYTES_MAX = 64 * 1024
export const PROBE_TIMEOUT_SECONDS = 5
/** A probe runs many times within one window; a longer one would leave room for few. */
const TIMEOUT_SECONDS_MAX = 300
const COMMAND_WORDS_MAX = 256
const STATUS_DEFAULT = 200

const fields: Record<Probe['kind'], string[]> = {
  http: ['url', 'status'],
  tcp: ['host', 'port'],
  exec: ['command'],
  unit: ['unit'],
}

/** `file` names it in messages, and the probe itself where it has no name of its own. */
export function decodeProbe(bytes: Uint8Array, file: string): Probe {
  const object = parseJsonObject(bytes, { what: file })
  const kind = readString(object, 'kind', file)
  if (!isKind(kind)) throw fieldError(file, 'kind', 'none of http, tcp, exec and unit')
  refuseUnknown(object, ['kind', 'name', 'timeoutSeconds', ...fields[kind]], file)
  const common = {
    name: optional(readString)(object, 'name', file) ?? file.replace(/\.json$/, ''),
    timeoutSeconds:
      object.timeoutSeconds === undefined
        ? PROBE_TIMEOUT_SECONDS
        : readInteger(object, 'timeoutSeconds', file, { min: 1, max: TIMEOUT_SECONDS_MAX }),
  }
  if (kind === 'http') return { ...common, kind, ...httpFields(object, file) }
  if (kind === 'tcp') {
    const port = readInteger(object, 'port', file, { min: 1, max: 65_535 })
    return { ...common, kind, host: readString(object, 'host', file), port }
  }
  if (kind === 'exec') return { ...common, kind, command: commandOf(object, file) }
  return { ...common, kind, unit: unitOf(object, file) }
}

export function encodeProbe(probe: Probe): Buffer {
  return encodeJson(probe)
}

function isKind(text: string): text is Probe['kind'] {
  return Object.hasOwn(fields, text)
}

function httpFields(object: JsonObject, file: string): { url: string; status: number } {
  const url = readString(object, 'url', file)
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw fieldError(file, 'url', 'not a URL that begins with http:// or https://')
  }
  const limits = { min: 200, max: 599 }
  const status =
    object.status === undefined ? STATUS_DEFAULT : readInteger(object, 'status', file, limits)
  return { url, status }
}

function commandOf(object: JsonObject, file: string): string[] {
  const command = readStrings(object, 'command', file)
  if (!command[0]?.startsWith('/') || command.some(word => word.includes('\0'))) {
    throw fieldError(file, 'command', 'not a program by its absolute path and its words')
  }
  if (command.length > COMMAND_WORDS_MAX) {
    throw fieldError(file, 'command', `longer than ${COMMAND_WORDS_MAX} words`)
  }
  return command
}

function unitOf(object: JsonObject, file: string): string {
  const unit = readString(object, 'unit', file)
  if (!/^[A-Za-z0-9:_.\\@-]{1,240}\.[a-z]+$/.test(unit)) {
    throw fieldError(file, 'unit', 'not the full name of a unit, such as web.service')
  }
  return unit
}
