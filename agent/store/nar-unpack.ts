import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  futimesSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import type { NarSink } from '../codec/nar-read.ts'
import { STORE_MTIME } from './tree-copy.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
const FLAGS = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY
/** Linux's PATH_MAX; the system itself refuses a longer path. */
const PATH_LENGTH_MAX = 4096
const SLASH = 0x2f

export type UnpackOptions = {
  /** Whether the process's umask takes bits away that files in a store have. */
  narrowUmask: boolean
}

/**
 * Writes an archive to disk as a store keeps it: files 0444 or 0555, directories 0555, times 1.
 * Every name is made with O_EXCL or its like below directories made here, so no link is followed.
 */
export class NarUnpacker implements NarSink {
  /** The path of the object being made; bytes, as names need not be UTF-8. */
  readonly #path = Buffer.allocUnsafe(PATH_LENGTH_MAX + 512)
  #length: number
  /** Lengths of the paths of the open directories. */
  readonly #open: number[] = []
  readonly #narrowUmask: boolean
  #handle = -1
  #left = 0
  #mode = 0o444

  /** `target` must not exist yet; its directory does. */
  constructor(target: string, options: UnpackOptions) {
    this.#length = this.#path.write(target)
    this.#narrowUmask = options.narrowUmask
  }

  directory(name: Buffer): void {
    const path = this.#at(name)
    mkdirSync(path, 0o700)
    this.#length = path.length
    this.#open.push(path.length)
  }

  end(): void {
    const path = this.#path.subarray(0, this.#open.pop()!)
    chmodSync(path, 0o555)
    utimesSync(path, STORE_MTIME, STORE_MTIME)
    this.#length = this.#open.at(-1) ?? 0
  }

  file(name: Buffer, executable: boolean, size: number): void {
    this.#mode = executable ? 0o555 : 0o444
    this.#handle = openSync(this.#at(name), FLAGS, this.#mode)
    this.#left = size
    if (size === 0) this.#finishFile()
  }

  chunk(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#handle, bytes, at)
    this.#left -= bytes.length
    if (this.#left === 0) this.#finishFile()
  }

  symlink(name: Buffer, target: Buffer): void {
    const path = this.#at(name)
    symlinkSync(target, path)
    lutimesSync(path, STORE_MTIME, STORE_MTIME)
  }

  /** Closes what a broken archive left open. */
  close(): void {
    if (this.#handle >= 0) closeSync(this.#handle)
    this.#handle = -1
  }

  #finishFile(): void {
    if (this.#narrowUmask) fchmodSync(this.#handle, this.#mode)
    futimesSync(this.#handle, STORE_MTIME, STORE_MTIME)
    this.close()
  }

  #at(name: Buffer): Buffer {
    if (name.length === 0) return this.#path.subarray(0, this.#length)
    this.#path[this.#length] = SLASH
    const end = this.#length + 1 + name.copy(this.#path, this.#length + 1)
    return this.#path.subarray(0, Math.min(end, this.#path.length))
  }
}
