import {
  chmodSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  type Stats,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../agent/codec/errors.ts'

/**
 * How many files lost something, by what they lost: a store path holds bytes, names and one bit.
 */
export type Losses = {
  /** Device nodes, sockets and pipes: not packed at all. */
  dropped: number
  setuid: number
  /** Files and directories of another owner or group than root. */
  owned: number
  /** Names that shared their bytes with another name. */
  hardLinks: number
  /** Files that not everybody may read, which in a store everybody may. */
  secret: number
}

export type CopyOptions = {
  /** Answers true for a name, relative to the tree, that stays behind. */
  leaveOut?: (name: string) => boolean
  losses?: Losses
}

export function noLosses(): Losses {
  return { dropped: 0, setuid: 0, owned: 0, hardLinks: 0, secret: 0 }
}

/** Copies the inside of a directory into another, which may have content: later files win. */
export function copyInto(source: string, target: string, options: CopyOptions = {}): void {
  copyFolder({ source, target, options, leaveOut: options.leaveOut ?? (() => false) }, '')
}

type Copy = {
  source: string
  target: string
  options: CopyOptions
  leaveOut: (name: string) => boolean
}

function copyFolder(copy: Copy, folder: string): void {
  mkdirSync(join(copy.target, folder), { recursive: true, mode: 0o755 })
  for (const entry of readdirSync(join(copy.source, folder))) {
    const name = folder === '' ? entry : `${folder}/${entry}`
    if (copy.leaveOut(name)) continue
    if (entry.includes('\ufffd')) {
      throw new UsageError('unpackable', `Cannot pack "${name}": its name is not UTF-8`)
    }
    copyEntry(copy, name)
  }
}

function copyEntry(copy: Copy, name: string): void {
  const from = join(copy.source, name)
  const to = join(copy.target, name)
  const stat = lstatSync(from)
  if (copy.options.losses !== undefined) count(copy.options.losses, stat)
  if (stat.isDirectory()) {
    copyFolder(copy, name)
  } else if (stat.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to)
  } else if (stat.isFile()) {
    copyFileSync(from, to, constants.COPYFILE_FICLONE)
    chmodSync(to, (stat.mode & 0o100) === 0 ? 0o644 : 0o755)
  }
}

function count(losses: Losses, stat: Stats): void {
  const isFile = stat.isFile()
  if (!isFile && !stat.isDirectory() && !stat.isSymbolicLink()) losses.dropped += 1
  if (isFile && (stat.mode & 0o6000) !== 0) losses.setuid += 1
  if (stat.uid !== 0 || stat.gid !== 0) losses.owned += 1
  if (isFile && stat.nlink > 1) losses.hardLinks += 1
  if (isFile && (stat.mode & 0o004) === 0) losses.secret += 1
}

/** One line a person can act on; undefined when nothing was lost. */
export function describeLosses(losses: Losses): string | undefined {
  const parts = [
    [losses.dropped, 'device nodes, sockets or pipes are left out'],
    [losses.setuid, 'programs lose setuid or setgid'],
    [losses.owned, 'files lose their owner or group'],
    [losses.hardLinks, 'hard links become files of their own'],
    [losses.secret, 'files that were not for everybody become readable'],
  ] as const
  const lost = parts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`)
  return lost.length === 0 ? undefined : lost.join('; ')
}
