/**
 * NAR, written (its reader is `nar-read.ts`). Every token is a string: 8 bytes of little-endian
 * length, the bytes, zeros up to a multiple of 8.
 *
 *   nar     = "nix-archive-1" node
 *   node    = "(" "type" ( file | link | folder ) ")"
 *   file    = "regular" ["executable" ""] "contents" BYTES
 *   link    = "symlink" "target" BYTES
 *   folder  = "directory" *( "entry" "(" "name" NAME "node" node ")" )    names ascend bytewise
 */

import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs'
import { HostError, UsageError } from './errors.ts'
import { formatNixHash } from './nix-hash.ts'

/** Large enough that a system call costs nothing beside its bytes. */
const CHUNK_BYTES = 256 * 1024
/** What one step writes besides contents: a name of 255 bytes, a target of 4,095, and tags. */
const STEP_BYTES_MAX = 8 * 1024

const MAGIC = tokens('nix-archive-1')
const FILE = tokens('(', 'type', 'regular')
const EXECUTABLE = tokens('executable', '')
const CONTENTS = tokens('contents')
const LINK = tokens('(', 'type', 'symlink', 'target')
const FOLDER = tokens('(', 'type', 'directory')
const ENTRY = tokens('entry', '(', 'name')
const NODE = tokens('node')
const CLOSE = tokens(')')

/**
 * The NAR of a file, link or directory, as `nix-store --dump` writes it. Memory is bounded: every
 * chunk is the same buffer, so it must be used up before the next one is asked for. Fails with
 * `unpackable` on a device, socket or pipe, and on a file that shrinks while it is read.
 */
export function* narOf(path: string | Buffer): Generator<Buffer, void> {
  const out = new Chunk()
  const open: { path: Buffer; names: Buffer[] }[] = []
  out.put(MAGIC)
  let next: Buffer | undefined = Buffer.from(path)
  for (;;) {
    if (out.room < STEP_BYTES_MAX) yield out.take()
    if (next !== undefined) {
      const names = yield* putNode(out, next)
      if (names !== undefined) open.push({ path: next, names })
      else if (open.length > 0) out.put(CLOSE)
    }
    const folder = open.at(-1)
    if (folder === undefined) break
    const name = folder.names.pop()
    next = name && Buffer.concat([folder.path, slash, name])
    if (name !== undefined) {
      out.put(ENTRY).putString(name).put(NODE)
      continue
    }
    open.pop()
    out.put(CLOSE)
    if (open.length > 0) out.put(CLOSE)
  }
  yield out.take()
}

/** The registered hash and size of a tree: `narHash` is `sha256` as Nix writes it. */
export function narDigest(path: string | Buffer): {
  narHash: string
  narSize: number
  sha256: Buffer
} {
  const hash = createHash('sha256')
  let narSize = 0
  for (const chunk of narOf(path)) {
    hash.update(chunk)
    narSize += chunk.length
  }
  const sha256 = hash.digest()
  return { narHash: formatNixHash(sha256), narSize, sha256 }
}

/** Writes one node; returns the names in a directory, last first, and leaves that one open. */
function* putNode(out: Chunk, path: Buffer): Generator<Buffer, Buffer[] | undefined> {
  const stat = lstatSync(path)
  if (stat.isDirectory()) {
    out.put(FOLDER)
    return readdirSync(path, { encoding: 'buffer' }).sort((a, b) => Buffer.compare(b, a))
  }
  if (stat.isSymbolicLink()) {
    out
      .put(LINK)
      .putString(readlinkSync(path, { encoding: 'buffer' }))
      .put(CLOSE)
  } else if (stat.isFile()) {
    out.put(FILE)
    if ((stat.mode & constants.S_IXUSR) !== 0) out.put(EXECUTABLE)
    out.put(CONTENTS).putNumber(stat.size)
    yield* putContents(out, path, stat.size)
    out.pad(stat.size).put(CLOSE)
  } else {
    throw new UsageError('unpackable', `Cannot pack "${path}": it is a device, socket or pipe`)
  }
  return undefined
}

function* putContents(out: Chunk, path: Buffer, size: number): Generator<Buffer, void> {
  if (size === 0) return
  const handle = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    for (let left = size; left > 0; ) {
      const count = out.fill(handle, left)
      if (count === 0) {
        throw new HostError('unpackable', `Cannot pack "${path}": it shrank while it was read`)
      }
      left -= count
      if (out.room < STEP_BYTES_MAX) yield out.take()
    }
  } finally {
    closeSync(handle)
  }
}

const slash = Buffer.from('/')

/** The one buffer that is filled, handed out, and filled again. */
class Chunk {
  readonly #bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #used = 0

  get room(): number {
    return CHUNK_BYTES - this.#used
  }

  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#used)
    this.#used = 0
    return taken
  }

  put(bytes: Buffer): this {
    this.#used += bytes.copy(this.#bytes, this.#used)
    return this
  }

  putNumber(value: number): this {
    this.#bytes.writeUInt32LE(value % 2 ** 32, this.#used)
    this.#bytes.writeUInt32LE(Math.floor(value / 2 ** 32), this.#used + 4)
    this.#used += 8
    return this
  }

  putString(bytes: Buffer): this {
    return this.putNumber(bytes.length).put(bytes).pad(bytes.length)
  }

  /** The zeros after `length` bytes. */
  pad(length: number): this {
    const zeros = -length & 7
    this.#bytes.fill(0, this.#used, this.#used + zeros)
    this.#used += zeros
    return this
  }

  /** Reads at most `wanted` bytes of an open file, and says how many. */
  fill(handle: number, wanted: number): number {
    const count = readSync(handle, this.#bytes, this.#used, Math.min(wanted, this.room), null)
    this.#used += count
    return count
  }
}

function tokens(...texts: string[]): Buffer {
  return Buffer.concat(
    texts.map(text => {
      const token = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8)
      token.writeUInt32LE(text.length)
      token.write(text, 8, 'latin1')
      return token
    }),
  )
}
