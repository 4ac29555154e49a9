/**
 * Makes whole trees survive a power cut before their names become visible. One fsync per file is
 * exact, but at tens of thousands of files slower than the fetch itself; `syncfs`, which Node does
 * not offer, flushes everything in one go, and coreutils and busybox reach it as `sync -f`. It also
 * flushes what others wrote on that file system, so a few files are flushed one by one.
 */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, constants, fsyncSync, lstatSync, openSync, readdirSync } from 'node:fs'
import { joinBytes } from './tree-copy.ts'

/** Up to this many files and directories, one by one is as fast, and nobody else's data waits. */
const SINGLE_FLUSHES_MAX = 64

/** Flushes every tree in `paths`; all lie on one file system. Fails when the disk does. */
export function flushTrees(paths: string[]): void {
  const [first] = paths
  if (first === undefined) return
  const few = entriesOf(paths, SINGLE_FLUSHES_MAX)
  if (few !== undefined) flushEach(few)
  // Without the program, or after an error of the disk, which each fsync then shows again.
  else if (!flushFileSystem(first)) flushEach(entriesOf(paths, Infinity) ?? [])
}

/** Starts a flush of the file system that holds `path`, and says when it is over, somehow. */
export function startFlush(path: string, done: () => void): void {
  const child = spawn('sync', ['-f', path], { stdio: 'ignore' })
  child.once('error', done).once('exit', done)
}

/** Whether `sync -f` was there and succeeded. */
export function flushFileSystem(path: string): boolean {
  return spawnSync('sync', ['-f', path], { stdio: 'ignore' }).status === 0
}

/**
 * All files and directories, those inside first; undefined when there are more than `limit`.
 * Paths are bytes, as names need not be UTF-8.
 */
function entriesOf(paths: string[], limit: number): Buffer[] | undefined {
  const entries: Buffer[] = []
  const stack: Buffer[] = paths.map(path => Buffer.from(path))
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    const stat = lstatSync(path)
    if (stat.isFile() || stat.isDirectory()) entries.push(path)
    if (stat.isDirectory()) {
      for (const name of readdirSync(path, 'buffer')) stack.push(joinBytes(path, name))
    }
    if (entries.length > limit) return undefined
  }
  return entries.reverse()
}

function flushEach(entries: Buffer[]): void {
  for (const path of entries) {
    const handle = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
  }
}
