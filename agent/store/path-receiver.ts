import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import type { PathInfo } from '../codec/documents.ts'
import { HoldfastError, HostError, isErrno, messageOf, RejectedError } from '../codec/errors.ts'
import { NarParser } from '../codec/nar-read.ts'
import { formatNixHash } from '../codec/nix-hash.ts'
import { type Compression, type Decoder, openDecoder } from './decode.ts'
import { NarUnpacker } from './nar-unpack.ts'
import { removeTree, renameTree } from './staging.ts'

/** What a body may be larger than its NAR: both formats store what they cannot compress. */
const OVERHEAD_RATIO_MAX = 1 / 64
const OVERHEAD_BYTES_MAX = 64 * 1024

export type ReceiveOptions = {
  info: Pick<PathInfo, 'path' | 'narHash' | 'narSize'>
  compression: Compression
  /** Holds `new/` for what is being unpacked and `done/` for what was verified. */
  staging: string
  narrowUmask: boolean
  /** Told the bytes of the NAR as they are written. */
  onWritten: (bytes: number) => void
}

/**
 * One path on its way from a cache into staging: decompressed, hashed, parsed and written in one
 * go. It stands in `done/` only after hash and size were those of the manifest.
 */
export class PathReceiver {
  readonly #options: ReceiveOptions
  readonly #target: string
  readonly #hash = createHash('sha256')
  readonly #unpacker: NarUnpacker
  readonly #parser: NarParser
  readonly #decoder: Decoder
  #received = 0
  #closed = false

  constructor(options: ReceiveOptions) {
    const { info, staging } = options
    this.#options = options
    this.#target = join(staging, 'new', basename(info.path))
    removeTree(this.#target)
    this.#unpacker = new NarUnpacker(this.#target, { narrowUmask: options.narrowUmask })
    this.#parser = new NarParser(this.#unpacker, { narSize: info.narSize })
    this.#decoder = openDecoder(options.compression, bytes => this.#output(bytes))
  }

  /** Bytes of the body so far. */
  get received(): number {
    return this.#received
  }

  /** Takes the next bytes of the body; with a promise, the following ones must wait for it. */
  push(bytes: Buffer): Promise<void> | undefined {
    const { path, narSize } = this.#options.info
    this.#received += bytes.length
    if (this.#received > narSize * (1 + OVERHEAD_RATIO_MAX) + OVERHEAD_BYTES_MAX) {
      throw new RejectedError('oversized', `Cannot fetch "${path}": its file is too long`)
    }
    return this.#decoder.push(bytes)
  }

  /** Says that the body is whole; resolves with the directory entry in `done/`. */
  async finish(): Promise<string> {
    await this.#decoder.end()
    this.#closeDecoder()
    this.#parser.end()
    const { path, narHash } = this.#options.info
    const found = formatNixHash(this.#hash.digest())
    if (found !== narHash) {
      const message = `Cannot fetch "${path}": its hash is ${found}, not ${narHash}`
      throw new RejectedError('path-hash', message)
    }
    const done = join(this.#options.staging, 'done', basename(path))
    renameTree(this.#target, done)
    return done
  }

  /** Removes what was written. */
  abandon(): void {
    this.#closeDecoder()
    this.#unpacker.close()
    removeTree(this.#target)
  }

  /** Only once, as it serves another path from then on. */
  #closeDecoder(): void {
    if (!this.#closed) this.#decoder.close()
    this.#closed = true
  }

  #output(bytes: Buffer): void {
    this.#parser.push(bytes)
    this.#hash.update(bytes)
    this.#options.onWritten(bytes.length)
  }
}

/** What went wrong while a store path was written, classed; `what` is the path or its cache. */
export function explainWriteError(error: unknown, what: string): unknown {
  if (error instanceof HoldfastError || !(error instanceof Error)) return error
  const message = `Cannot write "${what}": ${messageOf(error)}`
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return new HostError('no-space', message, { cause: error })
  }
  // Only a path in the archive can be too long: the staging directory's own is not.
  if (isErrno(error, 'ENAMETOOLONG')) return new RejectedError('nar', message, { cause: error })
  const isSystem = (error as NodeJS.ErrnoException).syscall !== undefined
  return isSystem ? new HostError('store-write', message, { cause: error }) : error
}
