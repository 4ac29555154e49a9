import { closeSync, fsyncSync, openSync, renameSync, rmSync, symlinkSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Flushes a directory, so that the names created, renamed or removed in it survive a power cut. */
export function syncDirectory(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * Replaces `path` with `bytes` so that a power cut at any moment leaves the old or the new content,
 * whole: write beside it, fsync, rename over, fsync the directory.
 */
export function writeDurably(path: string, bytes: string | Uint8Array, mode = 0o600): void {
  const temporary = temporaryBeside(path)
  const handle = openSync(temporary, 'w', mode)
  try {
    writeWhole(handle, typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
    fsyncSync(handle)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(handle)
  }
  renameSync(temporary, path)
  syncDirectory(dirname(path))
}

/** Points the symbolic link `path` at `target`, atomically and durably. */
export function linkDurably(path: string, target: string): void {
  const temporary = temporaryBeside(path)
  rmSync(temporary, { force: true })
  symlinkSync(target, temporary)
  renameSync(temporary, path)
  syncDirectory(dirname(path))
}

/** One name per target: what a power cut leaves behind is overwritten by the next attempt. */
function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.new`)
}

function writeWhole(handle: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) {
    offset += writeSync(handle, bytes, offset)
  }
}
