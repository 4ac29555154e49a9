import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isErrno } from '../codec/errors.ts'
import { isObject, parseJson } from '../codec/json.ts'
import { writeDurably } from '../files/durable.ts'

/** The credential that a container manager hands the seed over as. */
const SEED_CREDENTIAL = 'holdfast.seed'
const SEED_FILE = 'var/lib/holdfast/seed.json'

/** A seed is a few hundred bytes; more is somebody's mistake. */
const SEED_BYTES_MAX = 64 * 1024

/**
 * Gives the host an id of its own before systemd looks for one: without, systemd takes the boot for
 * the very first and enables every unit it finds. A container manager's own id wins.
 */
export function ensureMachineId(prefix: string, env: NodeJS.ProcessEnv): void {
  const file = join(prefix, 'etc/machine-id')
  if (/^[0-9a-f]{32}\n?$/.test(readText(file) ?? '')) return
  const given = (env.container_uuid ?? '').replaceAll('-', '').toLowerCase()
  const id = /^[0-9a-f]{32}$/.test(given) ? given : randomMachineId()
  writeDurably(file, `${id}\n`, 0o444)
}

/** A random UUID's 32 digits, as systemd makes them. */
function randomMachineId(): string {
  const bytes = randomBytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex')
}

/**
 * Keeps the seed that came as a credential (or in `file`), unless the host has one: credentials are
 * there at boot only. The bytes are not judged here; the agent reads them.
 */
export function carrySeed(prefix: string, env: NodeJS.ProcessEnv, file?: string): void {
  const target = join(prefix, SEED_FILE)
  if (readText(target) !== undefined) return
  const places = [
    file,
    ...[env.CREDENTIALS_DIRECTORY, '/run/host/credentials']
      .filter(directory => prefix === '/' && directory !== undefined)
      .map(directory => join(directory!, SEED_CREDENTIAL)),
  ]
  const seed = places
    .filter(place => place !== undefined)
    .map(readText)
    .find(text => text !== undefined)
  if (seed === undefined) return
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
  writeDurably(target, seed, 0o600)
}

/** Names the host as its seed does, where neither the system nor anybody else named it. */
export function ensureHostName(prefix: string): void {
  const file = join(prefix, 'etc/hostname')
  const seed = readText(join(prefix, SEED_FILE))
  if (seed === undefined || readText(file) !== undefined) return
  const parsed = parseJson(Buffer.from(seed), { what: SEED_FILE, bytesMax: SEED_BYTES_MAX })
  const host = isObject(parsed) ? parsed.host : undefined
  if (typeof host !== 'string' || !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(host)) return
  writeDurably(file, `${host}\n`, 0o644)
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
