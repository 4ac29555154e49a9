/** What a tree in a store looks like: files 0444 or 0555, directories 0555, every time 1. */
import {
  chmodSync,
  constants,
  copyFileSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  type Stats,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { UsageError } from '../codec/errors.ts'
import { NAR_DEPTH_MAX } from '../codec/nar-read.ts'

/** Seconds since 1970; Nix's choice, as some programs take 0 for "no time". */
export const STORE_MTIME = 1

/**
 * Copies a tree as Nix would keep it. Names and link targets are bytes, and stay so; hard links
 * become files of their own. Fails with `unpackable` on devices, sockets and pipes, and on
 * directories that lie deeper than a host would unpack them.
 */
export function copyCanonically(source: Buffer, target: Buffer, depth = 0): void {
  const stat = lstatSync(source)
  if (stat.isSymbolicLink()) {
    symlinkSync(readlinkSync(source, 'buffer'), target)
    lutimesSync(target, STORE_MTIME, STORE_MTIME)
  } else if (stat.isFile()) {
    copyFileSync(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    // Only the owner's bit counts, as in Nix.
    chmodSync(target, (stat.mode & 0o100) === 0 ? 0o444 : 0o555)
    utimesSync(target, STORE_MTIME, STORE_MTIME)
  } else if (stat.isDirectory()) {
    if (depth >= NAR_DEPTH_MAX)
      throw refuse(source, `it lies over ${NAR_DEPTH_MAX} directories deep`)
    mkdirSync(target, 0o700)
    for (const name of readdirSync(source, 'buffer')) {
      copyCanonically(joinBytes(source, name), joinBytes(target, name), depth + 1)
    }
    chmodSync(target, 0o555)
    utimesSync(target, STORE_MTIME, STORE_MTIME)
  } else {
    throw refuse(source, `it is a ${kindOf(stat)}, which a store cannot hold`)
  }
}

export function joinBytes(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name])
}

function refuse(source: Buffer, is: string): UsageError {
  return new UsageError('unpackable', `Cannot pack "${source.toString()}": ${is}`)
}

function kindOf(stat: Stats): string {
  if (stat.isSocket()) return 'socket'
  if (stat.isFIFO()) return 'pipe'
  return 'device'
}
