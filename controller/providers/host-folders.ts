/** The folder of each host that a local provider keeps: its disk, its seed, and what it is. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../../agent/codec/documents.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { syncDirectory, writeDurably } from '../../agent/files/durable.ts'
import { removeTree } from '../../agent/store/staging.ts'

/** `host.json`. Plain hosts have the address of the machine that they run on. */
export type HostRecord = { name: string; provider: string; system: StorePath; address: string }

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** Where the parts of host `name` lie. */
export function hostFolder(directory: string, name: string) {
  const folder = join(directory, name)
  return {
    folder,
    root: join(folder, 'root'),
    seed: join(folder, 'seed.json'),
    log: join(folder, 'console.log'),
  }
}

export function hostNames(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter(name => hostExists(directory, name))
    .sort()
}

export function hostExists(directory: string, name: string): boolean {
  return NAME.test(name) && existsSync(join(directory, name, 'host.json'))
}

export function readHost(directory: string, name: string): HostRecord {
  if (!hostExists(directory, name)) {
    throw new UsageError('no-host', `Cannot find host "${name}": there is none in ${directory}`)
  }
  return JSON.parse(readFileSync(join(directory, name, 'host.json'), 'utf8')) as HostRecord
}

/**
 * Makes a host's folder beside its place and renames it, so that a host is there whole or not at
 * all.
 * `fill` gets the folder to write into.
 */
export async function makeHost(
  directory: string,
  record: HostRecord,
  fill: (folder: ReturnType<typeof hostFolder>) => Promise<void>,
): Promise<void> {
  const making = hostFolder(directory, `.${record.name}.new`)
  removeTree(making.folder)
  mkdirSync(making.folder, { recursive: true, mode: 0o700 })
  try {
    await fill(making)
    writeDurably(join(making.folder, 'host.json'), `${JSON.stringify(record)}\n`)
    renameSync(making.folder, hostFolder(directory, record.name).folder)
  } catch (error) {
    removeTree(making.folder)
    throw error
  }
  syncDirectory(directory)
}

export function removeHost(directory: string, name: string): void {
  removeTree(hostFolder(directory, name).folder)
}

export function requireNewHost(directory: string, name: string): void {
  if (!NAME.test(name)) {
    const what = 'a name has lower-case letters, digits and hyphens, at most 63'
    throw new UsageError('usage', `Cannot create host "${name}": ${what}`)
  }
  if (hostExists(directory, name)) {
    throw new UsageError('host-exists', `Cannot create host "${name}": it exists`, {
      next: `Run holdfast destroy host ${name} first`,
    })
  }
}

/** The last line of a host's console, for the message of a host that did not start. */
export function lastLine(log: string): string {
  const text = existsSync(log) ? readFileSync(log, 'utf8').trim() : ''
  return text === '' ? 'it ended without a word' : text.slice(text.lastIndexOf('\n') + 1)
}
