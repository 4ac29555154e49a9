import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { isErrno } from '../codec/errors.ts'
import { isStorePath } from '../codec/store-path.ts'
import { writeDurably } from '../files/durable.ts'
import { ensureLink, linkTarget } from './links.ts'

/**
 * The system that was activated last, tested or committed; undefined before the first activation.
 */
export function runningSystem(prefix: string): StorePath | undefined {
  return systemAt(join(prefix, 'run/current-system'))
}

export function setRunningSystem(prefix: string, system: StorePath): void {
  mkdirSync(join(prefix, 'run'), { recursive: true })
  ensureLink(join(prefix, 'run/current-system'), system)
}

/** The system that this boot started with. */
export function bootedSystem(prefix: string): StorePath | undefined {
  return systemAt(join(prefix, 'run/booted-system'))
}

/** Marks the start of a boot: what runs, what was booted, and a boot id of its own. */
export function startBoot(prefix: string, system: StorePath): void {
  setRunningSystem(prefix, system)
  ensureLink(join(prefix, 'run/booted-system'), system)
  newBootId(prefix)
}

/**
 * Differs after every boot. Containers share the kernel's own boot id with their host, so it is a
 * file in `/run`, which `init` renews and a reboot empties.
 */
export function bootId(prefix: string): string {
  try {
    const id = readFileSync(bootIdFile(prefix), 'utf8').trim()
    if (id !== '') return id
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  return newBootId(prefix)
}

function newBootId(prefix: string): string {
  const id = randomUUID()
  mkdirSync(join(prefix, 'run/holdfast'), { recursive: true, mode: 0o755 })
  writeDurably(bootIdFile(prefix), `${id}\n`, 0o644)
  return id
}

function bootIdFile(prefix: string): string {
  return join(prefix, 'run/holdfast/boot-id')
}

function systemAt(link: string): StorePath | undefined {
  const target = linkTarget(link)
  return target !== undefined && isStorePath(target) ? target : undefined
}
