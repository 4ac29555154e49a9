import { existsSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { HostError } from '../codec/errors.ts'
import { ensureLink, statOf } from './links.ts'

/** The names beside `/usr` that a merged-usr system keeps as links into it. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']

/**
 * Points `/usr` at the root file system's, and `/bin`, `/lib64` and so on into `/usr`. Each link
 * is replaced atomically; programs that run keep the files they have open. Answers whether `/usr`
 * moved. Links are relative, so a root can be looked at from outside it.
 */
export function linkRoot(options: { prefix: string; rootfs: StorePath }): boolean {
  const { prefix, rootfs } = options
  makeRoom(join(prefix, 'usr'))
  const moved = ensureLink(join(prefix, 'usr'), `${rootfs.slice(1)}/usr`)
  for (const name of MERGED) {
    if (!existsSync(join(prefix, rootfs, 'usr', name))) continue
    makeRoom(join(prefix, name))
    ensureLink(join(prefix, name), `usr/${name}`)
  }
  return moved
}

/**
 * An empty directory that somebody made for us gives way; one with content is not ours to remove.
 */
function makeRoom(path: string): void {
  if (!(statOf(path)?.isDirectory() ?? false)) return
  try {
    rmdirSync(path)
  } catch (cause) {
    const is = 'it is a directory with files of its own'
    throw new HostError('root-link', `Cannot link "${path}" into the store: ${is}`, { cause })
  }
}
