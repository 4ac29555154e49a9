import { chownSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeDurably } from '../files/durable.ts'
import { statOf } from './links.ts'

/**
 * Files that programs change on the running host: a system brings their first content, and later
 * only accounts that are missing (`accounts.ts`). They are copies, not links.
 */
const LOCAL = new Set([
  ...['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'].flatMap(name => [
    name,
    `${name}-`,
  ]),
  'machine-id',
  'hostname',
  'hosts',
  'resolv.conf',
  'adjtime',
])

/** What only root may read, and the group `shadow`. */
const SECRET = /^g?shadow-?$/

export function isLocalFile(name: string): boolean {
  return LOCAL.has(name)
}

/** Copies `name` from the store's etc to the host's unless it is there; answers whether it did. */
export function copyLocalFile(store: string, etc: string, name: string): boolean {
  const from = join(store, name)
  const to = join(etc, name)
  if (statOf(to) !== undefined) return false
  mkdirSync(dirname(to), { recursive: true })
  if (statOf(from)?.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to)
    return true
  }
  const secret = SECRET.test(name)
  writeDurably(to, readFileSync(from), secret ? 0o640 : 0o644)
  const group = secret ? groupNumber(store, 'shadow') : undefined
  if (group !== undefined && process.getuid?.() === 0) chownSync(to, 0, group)
  return true
}

function groupNumber(store: string, name: string): number | undefined {
  if (statOf(join(store, 'group')) === undefined) return undefined
  const lines = readFileSync(join(store, 'group'), 'utf8').split('\n')
  const digits = lines.map(line => line.split(':')).find(fields => fields[0] === name)?.[2]
  return digits === undefined ? undefined : Number(digits)
}
