/**
 * Everything that will be a store path is first made in a staging directory on the same file
 * system, and enters the store by one rename. What lies in staging or in the store without being
 * registered is trusted by nobody.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HostError, isErrno, messageOf } from '../codec/errors.ts'
import { STORE_DIR } from '../codec/store-path.ts'
import { joinBytes } from './tree-copy.ts'

/** The name starts with a dot, which no store path does. */
export function stagingDirectory(root: string): string {
  return join(root, STORE_DIR, '.holdfast-staging')
}

/**
 * Nix lets its builders make names in the store directory. Staging that one of them made, or a link
 * in its place, would let them change what was verified before it is renamed: it is replaced.
 */
export function makeStaging(root: string, name: string): string {
  const top = stagingDirectory(root)
  if (!isOurs(top)) {
    if (lstatSync(top, { throwIfNoEntry: false }) !== undefined) removeTree(top)
    mkdirSync(dirname(top), { recursive: true })
    makeDirectory(top)
  }
  const path = join(top, name)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}

function isOurs(top: string): boolean {
  const stat = lstatSync(top, { throwIfNoEntry: false })
  if (stat === undefined || !stat.isDirectory()) return false
  return stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0
}

/** Another process of ours may be quicker; somebody else must not be. */
function makeDirectory(top: string): void {
  try {
    mkdirSync(top, { mode: 0o700 })
  } catch (cause) {
    if (isErrno(cause, 'EEXIST') && isOurs(top)) return
    const message = `Cannot make "${top}": ${messageOf(cause)}`
    throw new HostError('store-write', message, { cause })
  }
}

/** Removes a tree, also one whose directories are read-only as in the store. */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch (error) {
    if (!isErrno(error, 'EACCES') && !isErrno(error, 'EPERM')) throw error
    makeWritable(Buffer.from(path))
    rmSync(path, { recursive: true, force: true })
  }
}

/**
 * Moves a finished tree to its place. What lies there unregistered, left by a power cut or by
 * somebody else, is moved aside into `trash` first: nothing relied on it.
 */
export function moveIntoPlace(staged: string, final: string, trash: string): void {
  if (lstatSync(final, { throwIfNoEntry: false }) !== undefined) {
    const aside = join(trash, `replaced-${process.pid}-${process.hrtime.bigint()}`)
    renameTree(final, aside)
    renameTree(staged, final)
    removeTree(aside)
  } else {
    renameTree(staged, final)
  }
}

/** Only root moves a directory without its write bit; others lend it the bit meanwhile. */
export function renameTree(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (!isErrno(error, 'EACCES') || !lstatSync(from).isDirectory()) throw error
    chmodSync(from, 0o755)
    renameSync(from, to)
    chmodSync(to, 0o555)
  }
}

function makeWritable(path: Buffer): void {
  if (!lstatSync(path).isDirectory()) return
  chmodSync(path, 0o700)
  for (const name of readdirSync(path, 'buffer')) makeWritable(joinBytes(path, name))
}
