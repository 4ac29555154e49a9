import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import type { StorePath } from '../agent/codec/documents.ts'
import { encodeRegistration } from '../agent/codec/registration.ts'
import { removeTree } from '../agent/store/staging.ts'
import type { Store } from '../agent/store/store.ts'
import { readLayout } from '../agent/system/layout-file.ts'
import { ensureLink } from '../agent/system/links.ts'

export type ImageDirectoryOptions = {
  store: Store
  system: StorePath
  /** Made if absent; what it has already is not copied again. */
  directory: string
  /**
   * Shares the files' bytes with the store by hard links: at once and without space, but whoever is
   * root in the image could change them for all. Needs one file system. False by default.
   */
  hardLinks?: boolean
}

/**
 * Writes a root that holds nothing but the system's closure, its registration, and `/usr` as a link
 * into the store, without which container managers take a directory for no root at all. Everything
 * else is made by `<system>/init` at the first start.
 */
export function writeImageDirectory(options: ImageDirectoryOptions): void {
  const { store, system, directory, hardLinks = false } = options
  const closure = store.closure(system)
  mkdirSync(join(directory, 'nix/store'), { recursive: true })
  for (const { path } of closure) {
    const target = join(directory, path)
    if (existsSync(target)) continue
    // A name in the store is there when all of its files are.
    const staging = join(directory, 'nix/store', `.${basename(path)}.new`)
    removeTree(staging)
    copyPath(store.physical(path), staging, hardLinks)
    renameSync(staging, target)
  }
  writeFileSync(join(directory, 'nix-path-registration'), encodeRegistration(closure))
  const { rootfs } = readLayout(store.root, system)
  if (rootfs !== undefined) ensureLink(join(directory, 'usr'), `${rootfs.slice(1)}/usr`)
}

/** A faithful copy: modes and times are the store's. Clones bytes where the file system can. */
function copyPath(from: string, to: string, hardLinks: boolean): void {
  const stat = lstatSync(from)
  if (stat.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to)
    lutimesSync(to, stat.mtime, stat.mtime)
    return
  }
  if (stat.isDirectory()) {
    mkdirSync(to, { mode: 0o755 })
    for (const name of readdirSync(from)) copyPath(join(from, name), join(to, name), hardLinks)
  } else if (hardLinks) {
    linkSync(from, to)
    return
  } else {
    copyFileSync(from, to, constants.COPYFILE_FICLONE)
  }
  chmodSync(to, stat.mode)
  utimesSync(to, stat.mtime, stat.mtime)
}
