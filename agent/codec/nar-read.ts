/**
 * Reads a NAR (Nix archive), strictly: what is accepted is byte for byte what Nix writes.
 *
 *   nar    = str("nix-archive-1") node
 *   node   = str("(") str("type") object str(")")
 *   object = str("regular") [str("executable") str("")] str("contents") blob
 *          | str("symlink") str("target") str(target)
 *          | str("directory") *( str("entry") str("(") str("name") str(name)
 *                                str("node") node str(")") )
 *   str(s) = 64-bit little-endian length of s, then s, then zeros up to a multiple of 8; blob too
 *
 * Names are bytes, strictly ascending, not empty, `.` or `..`, and without `/` and NUL.
 */
import { RejectedError } from './errors.ts'

/** Linux's limit for one file name; a longer one could never be written. */
export const NAR_NAME_LENGTH_MAX = 255
/** Linux's PATH_MAX of 4096 counts the NUL at the end. */
export const NAR_TARGET_LENGTH_MAX = 4095
/** Directories inside each other; Nix's own limit. */
export const NAR_DEPTH_MAX = 64

/** What a NAR holds, in its order. Buffers are the parser's: valid during the call only. */
export interface NarSink {
  /** Opens a directory; the root's `name` is empty. */
  directory(name: Buffer): void
  /** Closes the innermost open directory. */
  end(): void
  /** A file; exactly `size` bytes follow in chunks, none for an empty one. */
  file(name: Buffer, executable: boolean, size: number): void
  chunk(bytes: Buffer): void
  symlink(name: Buffer, target: Buffer): void
}

type State =
  | 'head'
  | 'type'
  | 'file'
  | 'contents'
  | 'size'
  | 'body'
  | 'padding'
  | 'target-tag'
  | 'target'
  | 'close'
  | 'entry'
  | 'entry-open'
  | 'name'
  | 'entry-node'
  | 'entry-close'
  | 'done'

/** Fixed text between what varies; several strings at once, as nothing else may stand there. */
const literals: Partial<Record<State, Buffer>> = {
  head: strings('nix-archive-1', '(', 'type'),
  contents: strings('', 'contents'),
  'target-tag': strings('target'),
  close: strings(')'),
  'entry-open': strings('(', 'name'),
  'entry-node': strings('node', '(', 'type'),
  'entry-close': strings(')'),
}

/** The longest value that each state may read; one past the longest tag, so that it is shown. */
const lengthsMax: Partial<Record<State, number>> = {
  type: 'directory'.length,
  file: 'executable'.length,
  entry: 'entry'.length,
  name: NAR_NAME_LENGTH_MAX,
  target: NAR_TARGET_LENGTH_MAX,
}

const noName = Buffer.alloc(0)
/** Length, the longest value, and its padding. */
const HELD_LENGTH_MAX = 8 + 4096

/** A push parser: constant stack, and no memory beyond one name or target per open directory. */
export class NarParser {
  readonly #sink: NarSink
  readonly #narSize: number
  #received = 0
  #state: State = 'head'
  /** Bytes that the state needs in one piece before it can go on. */
  #need = literals.head!.length
  /** The start of such a piece when it is cut by the end of a chunk. */
  readonly #held = Buffer.allocUnsafe(HELD_LENGTH_MAX)
  #heldLength = 0
  /** Length of the value being read; -1 while the length itself is. */
  #valueLength = -1
  #name = noName
  /** The last name seen in each open directory, outermost first. */
  readonly #names: Buffer[] = []
  #executable = false
  #bodyLeft = 0
  #bodySize = 0

  /** `narSize` is what a trusted manifest says; more is refused as soon as it is seen. */
  constructor(sink: NarSink, options: { narSize: number }) {
    this.#sink = sink
    this.#narSize = options.narSize
  }

  /** Takes the next bytes, any number of them. Fails with `nar`, after which nothing may follow. */
  push(chunk: Buffer): void {
    this.#received += chunk.length
    if (this.#received > this.#narSize) throw refuse('it is longer than its declared size')
    let at = 0
    while (at < chunk.length) {
      if (this.#state === 'body') at = this.#pushBody(chunk, at)
      else at = this.#pushPiece(chunk, at)
    }
  }

  /** Says that nothing follows. */
  end(): void {
    if (this.#state !== 'done') throw refuse('it ends too early')
    if (this.#received !== this.#narSize) throw refuse('it is shorter than its declared size')
  }

  #pushBody(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#bodyLeft)
    this.#bodyLeft -= end - at
    this.#sink.chunk(chunk.subarray(at, end))
    if (this.#bodyLeft === 0) this.#bodyDone()
    return end
  }

  #pushPiece(chunk: Buffer, at: number): number {
    if (this.#heldLength === 0 && chunk.length - at >= this.#need) {
      const taken = this.#need
      this.#step(chunk, at)
      return at + taken
    }
    const end = Math.min(chunk.length, at + this.#need - this.#heldLength)
    chunk.copy(this.#held, this.#heldLength, at, end)
    this.#heldLength += end - at
    if (this.#heldLength === this.#need) {
      this.#heldLength = 0
      this.#step(this.#held, 0)
    }
    return end
  }

  /** `bytes` holds `#need` bytes from `at` on. */
  #step(bytes: Buffer, at: number): void {
    const state = this.#state
    const literal = literals[state]
    if (literal !== undefined) {
      if (bytes.compare(literal, 0, literal.length, at, at + literal.length) !== 0) {
        throw refuse(`something else stands where its ${state} should be`)
      }
      this.#afterLiteral(state)
    } else if (state === 'size') this.#takeSize(bytes, at)
    else if (state === 'padding') {
      requireZeros(bytes, at, at + this.#need)
      this.#go('close')
    } else if (state === 'done') throw refuse('bytes follow its end')
    else if (this.#valueLength < 0) this.#takeLength(state, bytes, at)
    else {
      const end = at + this.#valueLength
      requireZeros(bytes, end, at + this.#need)
      this.#takeValue(state, bytes.subarray(at, end))
    }
  }

  #afterLiteral(state: State): void {
    if (state === 'head' || state === 'entry-node') this.#go('type')
    else if (state === 'contents') {
      this.#executable = true
      this.#go('size')
    } else if (state === 'target-tag') this.#go('target')
    else if (state === 'entry-open') this.#go('name')
    else if (state === 'close') this.#nodeDone()
    else this.#go('entry')
  }

  #takeLength(state: State, bytes: Buffer, at: number): void {
    const length = readSize(bytes, at)
    if (length === 0 || length > lengthsMax[state]!) {
      throw refuse(`a ${state} of ${length} bytes is impossible`)
    }
    this.#valueLength = length
    this.#need = padded(length)
  }

  #takeValue(state: State, value: Buffer): void {
    if (state === 'name') this.#takeName(value)
    else if (state === 'target') {
      if (value.includes(0)) throw refuse('a link target holds NUL')
      this.#sink.symlink(this.#name, value)
      this.#go('close')
    } else this.#takeTag(state, value.toString('latin1'))
  }

  #takeTag(state: State, tag: string): void {
    if (state === 'type' && tag === 'regular') {
      this.#executable = false
      this.#go('file')
    } else if (state === 'type' && tag === 'symlink') this.#go('target-tag')
    else if (state === 'type' && tag === 'directory') this.#openDirectory()
    else if (state === 'file' && tag === 'contents') this.#go('size')
    else if (state === 'file' && tag === 'executable') this.#go('contents')
    else if (state === 'entry' && tag === 'entry') this.#go('entry-open')
    else if (state === 'entry' && tag === ')') {
      this.#names.pop()
      this.#sink.end()
      this.#nodeDone()
    } else throw refuse(`"${tag}" is no ${state} tag`)
  }

  #openDirectory(): void {
    if (this.#names.length >= NAR_DEPTH_MAX) {
      throw refuse(`directories lie more than ${NAR_DEPTH_MAX} deep`)
    }
    this.#sink.directory(this.#name)
    this.#names.push(noName)
    this.#go('entry')
  }

  #takeName(value: Buffer): void {
    const bad = value.includes(0) || value.includes(0x2f) || isDots(value)
    if (bad) throw refuse(`"${value.toString()}" cannot be a file name`)
    const top = this.#names.length - 1
    if (value.compare(this.#names[top]!) <= 0) {
      throw refuse(`"${value.toString()}" is repeated or out of order`)
    }
    this.#name = Buffer.from(value)
    this.#names[top] = this.#name
    this.#go('entry-node')
  }

  #takeSize(bytes: Buffer, at: number): void {
    const size = readSize(bytes, at)
    if (size > this.#narSize) throw refuse(`a file of ${size} bytes does not fit in it`)
    this.#bodySize = size
    this.#bodyLeft = size
    this.#sink.file(this.#name, this.#executable, size)
    if (size === 0) this.#go('close')
    else this.#state = 'body'
  }

  #bodyDone(): void {
    const padding = padded(this.#bodySize) - this.#bodySize
    if (padding === 0) this.#go('close')
    else {
      this.#state = 'padding'
      this.#need = padding
    }
  }

  #nodeDone(): void {
    if (this.#names.length > 0) this.#go('entry-close')
    else {
      this.#state = 'done'
      this.#need = 1
    }
  }

  #go(state: State): void {
    this.#state = state
    this.#valueLength = -1
    this.#need = literals[state]?.length ?? 8
  }
}

function strings(...texts: string[]): Buffer {
  return Buffer.concat(
    texts.map(text => {
      const bytes = Buffer.alloc(8 + padded(text.length))
      bytes.writeUInt32LE(text.length)
      bytes.write(text, 8, 'latin1')
      return bytes
    }),
  )
}

/** The next multiple of 8. Not by bit operations: sizes go beyond 32 bits. */
function padded(length: number): number {
  return length % 8 === 0 ? length : length + 8 - (length % 8)
}

/** Above 2^53 it is inexact, and refused by every caller for being too large. */
function readSize(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}

function requireZeros(bytes: Buffer, from: number, to: number): void {
  for (let at = from; at < to; at++) {
    if (bytes[at] !== 0) throw refuse('its padding is not zero')
  }
}

function isDots(name: Buffer): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e))
}

function refuse(why: string): RejectedError {
  return new RejectedError('nar', `Cannot unpack an archive: ${why}`)
}
