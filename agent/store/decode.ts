/**
 * Turns the body of a NAR file into the NAR, piece by piece, in bounded memory.
 *
 * zstd is decoded through the handle that Node's own stream wraps, synchronously and into one
 * buffer that is used again: twice as fast as the stream, but no public interface. So it is tried
 * out on a sample first, and where Node does not work that way the stream itself is used.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex, Readable, Writable } from 'node:stream'
import { constants, createZstdDecompress, zstdCompressSync } from 'node:zlib'
import { messageOf, RejectedError, TransientError } from '../codec/errors.ts'

export const compressions = ['zstd', 'xz', 'none'] as const
export type Compression = (typeof compressions)[number]

/** Gets the NAR; its argument is valid during the call only. What it throws ends the decoding. */
export type Output = (bytes: Buffer) => void

/** Both calls return a promise only where there is something to wait for. */
export interface Decoder {
  push(bytes: Buffer): Promise<void> | undefined
  /** Says that the body is whole; what is left has been put out when it is done. */
  end(): Promise<void> | undefined
  close(): void
}

/** Between the caches of a core and the cost of a call; larger is not faster. */
const OUTPUT_BYTES = 256 * 1024

/** `zstdHandles` false uses the slower, public interface. */
export function openDecoder(
  compression: Compression,
  output: Output,
  zstdHandles = zstdHandlesWork(),
): Decoder {
  if (compression === 'none') return { push: bytes => void output(bytes), end() {}, close() {} }
  if (compression === 'xz') return openXz(output)
  return zstdHandles ? ZstdHandle.open(output) : openZstdStream(output)
}

/** What Node keeps inside a zlib stream. */
type Handle = {
  writeSync(
    flush: number,
    input: Buffer,
    inputAt: number,
    inputLength: number,
    output: Buffer,
    outputAt: number,
    outputLength: number,
  ): void
  reset(): void
  onerror: (message: string) => void
}
type Internals = { _handle: Handle; _writeState: Uint32Array }

/** One for all decoders of a thread, as what is in it is consumed before the call returns. */
let sharedOutput: Buffer | undefined

/** Decoders that are done, to be used again: collecting them as garbage takes tens of MiB. */
const idleHandles: ZstdHandle[] = []
const IDLE_HANDLES_MAX = 8

class ZstdHandle implements Decoder {
  // Its own output buffer is never used, so it is made as small as it may be.
  readonly #stream = createZstdDecompress({ chunkSize: constants.Z_MIN_CHUNK })
  readonly #handle: Handle
  readonly #state: Uint32Array
  #output: Output
  #failure: string | undefined

  static open(output: Output): ZstdHandle {
    const idle = idleHandles.pop()
    if (idle === undefined) return new ZstdHandle(output)
    idle.#output = output
    return idle
  }

  constructor(output: Output) {
    const internals = this.#stream as unknown as Internals
    this.#handle = internals._handle
    this.#state = internals._writeState
    this.#handle.onerror = message => {
      this.#failure = message
    }
    this.#output = output
  }

  push(bytes: Buffer): undefined {
    sharedOutput ??= Buffer.allocUnsafeSlow(OUTPUT_BYTES)
    const output = sharedOutput
    for (let left = bytes.length, room = 0; left > 0 || room === 0; ) {
      const at = bytes.length - left
      this.#handle.writeSync(0, bytes, at, left, output, 0, output.length)
      if (this.#failure !== undefined) throw refuse(this.#failure)
      const before = left
      room = this.#state[0]!
      left = this.#state[1]!
      if (room < output.length) this.#output(output.subarray(0, output.length - room))
      else if (left === before && left > 0) throw refuse('the decoder makes no progress')
    }
  }

  end(): undefined {}

  close(): void {
    this.#output = () => {}
    // A decoder that has failed once repeats its failure, even after a reset.
    if (this.#failure !== undefined || idleHandles.length >= IDLE_HANDLES_MAX) {
      this.#stream.destroy()
      return
    }
    this.#handle.reset()
    idleHandles.push(this)
  }
}

let handlesWork: boolean | undefined

/** Decodes a sample that needs several calls both for its input and for its output. */
export function zstdHandlesWork(): boolean {
  handlesWork ??= tryHandles()
  return handlesWork
}

function tryHandles(): boolean {
  const sample = Buffer.alloc(OUTPUT_BYTES + 1000, 'holdfast ')
  const packed = zstdCompressSync(sample)
  try {
    // The second one meets the decoder that the first has left in the middle.
    return [packed.length - 1, packed.length].every(end => {
      const parts: Buffer[] = []
      const decoder = ZstdHandle.open(bytes => parts.push(Buffer.from(bytes)))
      decoder.push(packed.subarray(0, 5))
      decoder.push(packed.subarray(5, end))
      decoder.close()
      return end < packed.length || Buffer.concat(parts).equals(sample)
    })
  } catch {
    return false
  }
}

function openZstdStream(output: Output): Decoder {
  const stream: Duplex = createZstdDecompress({
    chunkSize: 1024 * 1024,
    finishFlush: constants.ZSTD_e_end,
  })
  return new StreamDecoder({ input: stream, source: stream, close: () => stream.destroy() }, output)
}

function openXz(output: Output): Decoder {
  const child: ChildProcess = spawn('xz', ['-dc'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const close = () => void child.kill('SIGKILL')
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', error => {
      const message = `Cannot run "xz": ${messageOf(error)}`
      reject(new TransientError('program', message, { cause: error, next: 'Install xz-utils' }))
    })
    child.once('exit', code => {
      if (code === 0) resolve()
      else reject(refuse('xz gave up'))
    })
  })
  return new StreamDecoder({ input: child.stdin!, source: child.stdout!, close, exited }, output)
}

type Streams = { input: Writable; source: Readable; close: () => void; exited?: Promise<void> }

/** A decoder that runs elsewhere: in a thread of Node's or in a program. */
class StreamDecoder implements Decoder {
  readonly #streams: Streams
  readonly #finished: Promise<void>

  constructor(streams: Streams, output: Output) {
    this.#streams = streams
    const drained = new Promise<void>((resolve, reject) => {
      streams.source.on('data', (bytes: Buffer) => {
        try {
          output(bytes)
        } catch (error) {
          streams.close()
          reject(error)
        }
      })
      streams.source.once('end', resolve)
      streams.source.once('error', error => reject(refuse(messageOf(error))))
      // The reading side says why: an early exit is also a broken pipe here.
      streams.input.on('error', () => {})
    })
    this.#finished = drained.then(() => streams.exited)
    this.#finished.catch(() => {})
    streams.exited?.catch(() => {})
  }

  push(bytes: Buffer): Promise<void> | undefined {
    // A copy, as the caller's buffer may be used again before it has been written.
    if (this.#streams.input.write(Buffer.from(bytes))) return undefined
    const drain = new Promise<void>(resolve => this.#streams.input.once('drain', resolve))
    return Promise.race([drain, this.#finished])
  }

  end(): Promise<void> {
    this.#streams.input.end()
    return this.#finished
  }

  close(): void {
    this.#streams.close()
  }
}

function refuse(why: string): RejectedError {
  return new RejectedError('compression', `Cannot decompress an archive: ${why}`)
}
