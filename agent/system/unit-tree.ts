import { readdirSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isErrno, RejectedError } from '../codec/errors.ts'
import { readPlainFile } from '../files/plain-file.ts'
import { resolveRooted } from './rooted-path.ts'
import { parseUnit, templateOf, type UnitSections, unitType } from './unit-files.ts'

/** What lies in a unit folder, by its path in there: `web.service`, `web.service.d/10.conf`. */
export type UnitFolder = ReadonlyMap<string, UnitEntry>
export type UnitEntry = { text: string } | { alias: string }

/** All units that a system knows, from its folders; the first folder wins. */
export type UnitTree = { folders: readonly UnitFolder[] }

const TYPES = 'service|socket|target|timer|mount|automount|swap|path|slice|device|scope'
const UNIT_NAME = new RegExp(`^[A-Za-z0-9:_.\\\\@-]+\\.(${TYPES})$`)
/** Of one file; systemd has a limit of the same order. */
const UNIT_BYTES_MAX = 1024 * 1024
/** As systemd allows before it calls a chain of aliases a loop. */
const ALIASES_MAX = 8

/** Reads the folders under a root, best first; a folder that does not exist is empty. */
export function readUnitTree(root: string, folders: readonly string[]): UnitTree {
  return { folders: folders.map(folder => readUnitFolder(root, folder)) }
}

/** The definition of a unit with its drop-ins; undefined when there is none or it is masked. */
export function findUnit(tree: UnitTree, name: string): UnitSections | undefined {
  const real = realName(tree, name)
  const template = templateOf(real)
  const text = fragmentOf(tree, real) ?? (template ? fragmentOf(tree, template) : undefined)
  if (text === undefined || text === '') return undefined
  return parseUnit([text, ...dropInsOf(tree, real)])
}

/** Follows aliases such as `dbus.service` → `dbus-broker.service`. */
export function realName(tree: UnitTree, name: string): string {
  let current = name
  for (let hops = 0; hops < ALIASES_MAX; hops += 1) {
    const entry = first(tree, current)
    if (entry === undefined || !('alias' in entry)) return current
    current = entry.alias
  }
  return current
}

/** The units that a unit pulls in by its `.wants`, `.requires` and `.upholds` folders. */
export function pulledIn(tree: UnitTree, name: string): Set<string> {
  const names = new Set<string>()
  for (const folder of tree.folders) {
    for (const path of folder.keys()) {
      const [owner, member] = path.split('/')
      if (member === undefined || !UNIT_NAME.test(member)) continue
      if (
        /^(wants|requires|upholds)$/.test(unitType(owner!)) &&
        owner === `${name}.${unitType(owner!)}`
      )
        names.add(member)
    }
  }
  return names
}

/** Folders whose drop-ins apply to a unit, the most specific first. */
function dropInFolders(name: string): string[] {
  const type = unitType(name)
  const template = templateOf(name)
  const stem = name.slice(0, -type.length - 1)
  const prefixes = [...stem.matchAll(/-/g)]
    .map(dash => `${stem.slice(0, dash.index + 1)}.${type}`)
    .reverse()
  return [name, ...(template ? [template] : []), ...prefixes, type].map(owner => `${owner}.d`)
}

/**
 * One drop-in per file name: the most specific folder, then the best unit folder; in name order.
 */
function dropInsOf(tree: UnitTree, name: string): string[] {
  const found = new Map<string, string>()
  for (const owner of dropInFolders(name)) {
    for (const folder of tree.folders) {
      for (const [path, entry] of folder) {
        const file = path.startsWith(`${owner}/`) ? path.slice(owner.length + 1) : ''
        if (!file.endsWith('.conf') || found.has(file) || !('text' in entry)) continue
        found.set(file, entry.text)
      }
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text)
}

function fragmentOf(tree: UnitTree, name: string): string | undefined {
  const entry = first(tree, realName(tree, name))
  return entry !== undefined && 'text' in entry ? entry.text : undefined
}

function first(tree: UnitTree, path: string): UnitEntry | undefined {
  return tree.folders.find(folder => folder.has(path))?.get(path)
}

function readUnitFolder(root: string, folder: string): UnitFolder {
  const entries = new Map<string, UnitEntry>()
  for (const name of namesIn(root, folder)) {
    if (UNIT_NAME.test(name)) {
      const entry = readEntry(root, join(folder, name))
      if (entry !== undefined) entries.set(name, entry)
    } else if (/\.(d|wants|requires|upholds)$/.test(name)) {
      for (const member of namesIn(root, join(folder, name))) {
        const entry = name.endsWith('.d')
          ? readEntry(root, join(folder, name, member))
          : { text: '' }
        if (entry !== undefined) entries.set(`${name}/${member}`, entry)
      }
    }
  }
  return entries
}

function namesIn(root: string, folder: string): string[] {
  try {
    return readdirSync(resolveRooted(root, folder)).sort()
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return []
    throw error
  }
}

/** A link to another unit's name is an alias; a link to a file of any other place is that file. */
function readEntry(root: string, path: string): UnitEntry | undefined {
  const target = linkTarget(join(resolveRooted(root, dirname(path)), basename(path)))
  if (target === '/dev/null') return { text: '' }
  if (target !== undefined && basename(target) !== basename(path) && isUnitPlace(target)) {
    return { alias: basename(target) }
  }
  try {
    const file = resolveRooted(root, path)
    if (file === join(root, 'dev/null')) return { text: '' }
    return { text: readPlainFile(file, UNIT_BYTES_MAX).toString('utf8') }
  } catch (error) {
    // A link into a part that this tree does not have: the next folder may know the unit.
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ELOOP')) return undefined
    if (error instanceof RejectedError) return undefined // A directory, or nothing to read.
    throw error
  }
}

function isUnitPlace(target: string): boolean {
  return !target.includes('/') || /systemd\/(system|user)$/.test(dirname(target))
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
