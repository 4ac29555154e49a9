import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { isErrno } from '../codec/errors.ts'
import { syncDirectory, writeDurably } from '../files/durable.ts'
import { flushTrees } from '../store/flush.ts'
import { statOf } from './links.ts'

/** Directories of a root file system whose files belong to the host once they were copied to it. */
const FOLDERS = ['var', 'root', 'home', 'srv', 'opt']
/** Names the root file system whose content was copied last. */
const MARK = 'var/lib/holdfast/first-content'
const STAGING = '.holdfast-first-content'

/**
 * Copies what a root file system has in `/var`, `/root` and so on to where nothing stands yet; what
 * the host has is never touched. A file shows up under its name only when its bytes are flushed:
 * each missing tree is copied beside, flushed, and renamed. Once per root file system.
 */
export function copyFirstContent(options: { prefix: string; rootfs: StorePath }): void {
  const { prefix, rootfs } = options
  if (readMark(prefix) === rootfs) return
  for (const folder of FOLDERS) {
    const source = join(prefix, rootfs, folder)
    if (statOf(source)?.isDirectory()) fillFolder(source, join(prefix, folder))
  }
  mkdirSync(join(prefix, 'var/lib/holdfast'), { recursive: true, mode: 0o700 })
  writeDurably(join(prefix, MARK), `${rootfs}\n`)
}

function readMark(prefix: string): string | undefined {
  try {
    return readFileSync(join(prefix, MARK), 'utf8').trim()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

function fillFolder(source: string, target: string): void {
  mkdirSync(target, { recursive: true, mode: 0o755 })
  const staging = join(target, STAGING)
  rmSync(staging, { recursive: true, force: true })
  mkdirSync(staging, { mode: 0o700 })
  const moves: [from: string, to: string][] = []
  stageMissing(source, target, { staging, moves })
  if (moves.length > 0) flushTrees([staging])
  for (const [from, to] of moves) renameSync(from, to)
  rmSync(staging, { recursive: true })
  syncDirectory(target)
}

/**
 * Copies each entry that `target` lacks, as one tree, and looks into the directories that both
 * have.
 */
function stageMissing(
  source: string,
  target: string,
  plan: { staging: string; moves: [from: string, to: string][] },
): void {
  for (const name of readdirSync(source)) {
    const from = join(source, name)
    const to = join(target, name)
    const found = statOf(to)
    if (found === undefined) {
      const copy = join(plan.staging, String(plan.moves.length))
      copyWritable(from, copy)
      plan.moves.push([copy, to])
    } else if (found.isDirectory() && statOf(from)?.isDirectory()) {
      stageMissing(from, to, plan)
    }
  }
}

/** The store's files are read-only; the host's own are not. */
function copyWritable(from: string, to: string): void {
  const stat = statOf(from)
  if (stat?.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to)
  } else if (stat?.isDirectory()) {
    mkdirSync(to, { mode: 0o755 })
    for (const name of readdirSync(from)) copyWritable(join(from, name), join(to, name))
  } else {
    copyFileSync(from, to)
    chmodSync(to, ((stat?.mode ?? 0) & 0o100) === 0 ? 0o644 : 0o755)
  }
}
