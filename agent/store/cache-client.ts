import { closeSync, openSync, readSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isErrno, messageOf, RejectedError } from '../codec/errors.ts'
import { HttpError } from './http-error.ts'
import { HttpClients, type Receive } from './http-get.ts'

const FILE_CHUNK_BYTES = 256 * 1024

export type CacheRequest = { mirror: string; name: string; bytes: number; receive: Receive }

/** Reads files of caches by URL and relative name, over HTTP or from a directory. */
export class CacheClient {
  readonly #http = new HttpClients()
  readonly #chunk = Buffer.allocUnsafeSlow(FILE_CHUNK_BYTES)

  /** A whole body, piece by piece. */
  async stream(request: CacheRequest, small = false): Promise<void> {
    const base = request.mirror.endsWith('/') ? request.mirror : `${request.mirror}/`
    const url = new URL(request.name, base)
    if (url.protocol === 'file:') await this.#streamFile(fileURLToPath(url), request.receive)
    else await this.#http.get({ url, receive: request.receive, bytes: request.bytes, small })
  }

  /** A small file, whole. Fails with `oversized` beyond `bytesMax`. */
  async read(mirror: string, name: string, bytesMax: number): Promise<Buffer> {
    const parts: Buffer[] = []
    let length = 0
    const receive = (bytes: Buffer) => {
      length += bytes.length
      if (length > bytesMax) {
        throw new RejectedError('oversized', `Cannot fetch "${name}": it is over ${bytesMax} bytes`)
      }
      // A copy, as a file's chunk is used again.
      parts.push(Buffer.from(bytes))
      return undefined
    }
    await this.stream({ mirror, name, bytes: Math.min(bytesMax, 4096), receive }, true)
    return Buffer.concat(parts, length)
  }

  async #streamFile(path: string, receive: Receive): Promise<void> {
    const handle = openFile(path)
    try {
      for (;;) {
        const length = readSync(handle, this.#chunk, 0, this.#chunk.length, null)
        if (length === 0) return
        const wait = receive(this.#chunk.subarray(0, length))
        // One file at a time goes through the chunk, unless a decoder runs elsewhere.
        if (wait !== undefined) await wait
      }
    } finally {
      closeSync(handle)
    }
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    const code = isErrno(error, 'ENOENT') ? 'not-found' : 'unreachable'
    throw new HttpError(code, `Cannot open "${path}": ${messageOf(error)}`, { cause: error })
  }
}
