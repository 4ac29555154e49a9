import { mkdirSync, readdirSync, rmdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { addAccounts } from './accounts.ts'
import { copyLocalFile, isLocalFile } from './etc-local.ts'
import { ensureLink, linkTarget, statOf } from './links.ts'

/** What `activateEtc` did; names are relative to `/etc`, sorted as they were met. */
export type EtcChange = {
  /** What `/etc/static` pointed at before; undefined the first time. */
  from: StorePath | undefined
  to: StorePath
  /** Links made, local files copied for the first time, and accounts as `passwd: name`. */
  added: string[]
  /** Links to what the new system no longer has. */
  removed: string[]
  /** Names of the system where a local file, directory or link stands, which is left alone. */
  kept: string[]
}

type Place = {
  /** `<prefix>/etc` and `<prefix>/nix/store/…-etc`. */
  etc: string
  store: string
  change: EtcChange
}

/**
 * Makes `<prefix>/etc` show a system's files: `/etc/static` points at the store path, every file
 * is a link through it, directories are real, so that local files can stand beside. The one
 * atomic step is `static`: a file that both systems have changes in that instant. Safe to repeat
 * after a cut at any point. Links are relative, so that a root can be made and looked at from
 * outside.
 */
export function activateEtc(options: { prefix: string; etc: StorePath }): EtcChange {
  const etc = join(options.prefix, 'etc')
  const before = linkTarget(join(etc, 'static'))
  const change: EtcChange = {
    from: before === undefined ? undefined : `/${before.replace(/^(\.\.\/)+/, '')}`,
    to: options.etc,
    added: [],
    removed: [],
    kept: [],
  }
  mkdirSync(etc, { recursive: true, mode: 0o755 })
  ensureLink(join(etc, 'static'), `..${options.etc}`)
  const place = { etc, store: join(options.prefix, options.etc), change }
  addMissing(place, '')
  change.added.push(...addAccounts(place.store, etc))
  removeStale(place, '')
  return change
}

/** `folder` is '' or ends with a slash. */
function addMissing(place: Place, folder: string): void {
  for (const entry of readdirSync(join(place.store, folder), { withFileTypes: true })) {
    const name = folder + entry.name
    if (entry.isDirectory()) {
      if (ensureDirectory(place, name)) addMissing(place, `${name}/`)
      else place.change.kept.push(name)
    } else if (isLocalFile(name)) {
      if (copyLocalFile(place.store, place.etc, name)) place.change.added.push(name)
    } else {
      addLink(place, name)
    }
  }
}

/** A link of ours, from a system that had a file of this name, becomes a directory. */
function ensureDirectory(place: Place, name: string): boolean {
  const path = join(place.etc, name)
  const stat = statOf(path)
  if (stat?.isDirectory()) return true
  if (stat !== undefined && !isOurs(place, name)) return false
  rmSync(path, { force: true })
  mkdirSync(path, { mode: 0o755 })
  return true
}

function addLink(place: Place, name: string): void {
  const path = join(place.etc, name)
  const target = linkText(name)
  const found = linkTarget(path)
  if (found === target) return
  const stat = statOf(path)
  if (stat !== undefined && !(stat.isDirectory() && vacate(place, name))) {
    place.change.kept.push(name)
    return
  }
  symlinkSync(target, path)
  place.change.added.push(name)
}

/** Removes a directory that holds nothing but links of ours: the new system has a file there. */
function vacate(place: Place, name: string): boolean {
  removeStale(place, `${name}/`)
  try {
    rmdirSync(join(place.etc, name))
    return true
  } catch {
    return false // Local files are in it.
  }
}

/** Removes our links whose file the new system lacks, and directories that thereby became empty. */
function removeStale(place: Place, folder: string): void {
  for (const entry of readdirSync(join(place.etc, folder), { withFileTypes: true })) {
    const name = folder + entry.name
    if (entry.isDirectory()) {
      const before = place.change.removed.length
      removeStale(place, `${name}/`)
      if (place.change.removed.length > before && !isInStore(place, name))
        removeIfEmpty(place, name)
    } else if (entry.isSymbolicLink() && isOurs(place, name) && !isLeafInStore(place, name)) {
      rmSync(join(place.etc, name))
      place.change.removed.push(name)
    }
  }
}

function removeIfEmpty(place: Place, name: string): void {
  const path = join(place.etc, name)
  if (readdirSync(path).length === 0) rmdirSync(path)
}

function isInStore(place: Place, name: string): boolean {
  return statOf(join(place.store, name)) !== undefined
}

function isLeafInStore(place: Place, name: string): boolean {
  return !(statOf(join(place.store, name))?.isDirectory() ?? true)
}

/** Our links say exactly this, so that nothing needs to be remembered beside them. */
function isOurs(place: Place, name: string): boolean {
  return linkTarget(join(place.etc, name)) === linkText(name)
}

function linkText(name: string): string {
  return `${'../'.repeat(name.split('/').length - 1)}static/${name}`
}
