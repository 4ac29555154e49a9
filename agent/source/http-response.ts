/**
 * Reads one HTTP/1.1 response (RFC 9112, sections 4 to 7) from the bytes of a connection. Kept
 * small instead of loading node:http because an idle agent does nothing but ask for tiny
 * documents.
 *
 *   response = *(1xx head) head body
 *   head     = "HTTP/1.x" SP status [SP reason] CRLF *(name ":" value CRLF) CRLF
 *   body     = nothing (HEAD, 1xx, 204, 304) | chunked | Content-Length bytes | until the close
 *
 * Content codings are never asked for, and refused.
 */
import { RejectedError, TransientError } from '../codec/errors.ts'

/** Real servers stay far below; nginx sends at most 32 KiB of head by default. */
export const HEAD_BYTES_MAX = 32 * 1024
/** A chunk-size line with its extensions. */
const LINE_BYTES_MAX = 4096

export type ResponseOptions = {
  /** What messages call the thing asked for; holds no secret. */
  what: string
  /** More body than this is refused with `oversized`. */
  bytesMax: number
  /** True for HEAD. */
  bodyless?: boolean
}

type Part = 'head' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'length' | 'close' | 'done'

/** Push bytes, then look at `done`; `end` says that the peer closed the connection. */
export class ResponseReader {
  status = 0
  /** Lower-case names; a repeated header is joined with a comma. */
  headers = new Map<string, string>()
  /** Whether the connection may carry another request. Only meaningful when done. */
  reusable = false
  readonly #options: ResponseOptions
  #part: Part = 'head'
  #pending: Buffer = Buffer.alloc(0)
  #left = 0
  #size = 0
  #chunks: Buffer[] = []

  constructor(options: ResponseOptions) {
    this.#options = options
  }

  get done(): boolean {
    return this.#part === 'done'
  }

  get started(): boolean {
    return this.status !== 0 || this.#pending.length > 0
  }

  body(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  push(bytes: Buffer): void {
    let rest = bytes
    if (this.#pending.length > 0) {
      rest = Buffer.concat([this.#pending, bytes])
      this.#pending = Buffer.alloc(0)
    }
    while (rest.length > 0) {
      if (this.done) {
        this.reusable = false // Bytes that nobody asked for: the connection is out of step.
        return
      }
      const used = this.#step(rest)
      if (used === 0) {
        this.#pending = rest
        return
      }
      rest = rest.subarray(used)
    }
  }

  end(): void {
    if (this.#part === 'close') this.#part = 'done'
    if (!this.done) throw this.#broken('the connection was closed in the middle of the answer')
  }

  /** Consumes what it can and returns how many bytes that were; 0 asks for more. */
  #step(bytes: Buffer): number {
    if (this.#part === 'head') return this.#readHead(bytes)
    if (this.#part === 'close') return this.#take(bytes)
    if (this.#part === 'length' || this.#part === 'chunk') {
      const part = bytes.subarray(0, this.#left)
      this.#take(part)
      this.#left -= part.length
      if (this.#left === 0) this.#part = this.#part === 'chunk' ? 'chunk-end' : 'done'
      return part.length
    }
    return this.#readLine(bytes)
  }

  #readLine(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n')
    if (end < 0) {
      if (bytes.length > LINE_BYTES_MAX) throw this.#broken('a line of the answer is too long')
      return 0
    }
    const line = bytes.toString('latin1', 0, end)
    if (this.#part === 'chunk-size') this.#startChunk(line)
    else if (this.#part === 'trailer') {
      if (line === '') this.#part = 'done'
    } else if (line === '') this.#part = 'chunk-size'
    else throw this.#broken('the chunks of the answer are malformed')
    return end + 2
  }

  #startChunk(line: string): void {
    const match = /^([0-9a-f]{1,12})[ \t]*(;.*)?$/i.exec(line)
    if (match === null) throw this.#broken('the chunks of the answer are malformed')
    this.#left = Number.parseInt(match[1]!, 16)
    this.#checkSize(this.#left)
    this.#part = this.#left === 0 ? 'trailer' : 'chunk'
  }

  #take(bytes: Buffer): number {
    this.#checkSize(bytes.length)
    this.#size += bytes.length
    this.#chunks.push(Buffer.from(bytes))
    return bytes.length
  }

  #checkSize(more: number): void {
    const { what, bytesMax } = this.#options
    if (this.#size + more <= bytesMax) return
    throw new RejectedError(
      'oversized',
      `Cannot read "${what}": it is larger than ${bytesMax} bytes`,
    )
  }

  #readHead(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n\r\n')
    if (end > HEAD_BYTES_MAX || (end < 0 && bytes.length > HEAD_BYTES_MAX)) {
      throw this.#broken('the head of the answer is too long')
    }
    if (end < 0) return 0
    const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
    const match = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: |$)/.exec(first)
    if (match === null) throw this.#broken('the answer is not HTTP/1.1')
    const status = Number(match[2])
    if (status === 101) throw this.#broken('it wants to speak another protocol')
    if (status >= 200) {
      this.status = status
      this.#readFields(lines)
      this.#startBody(match[1] === '1')
    }
    return end + 4
  }

  #readFields(lines: string[]): void {
    for (const line of lines) {
      const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line)
      if (match === null) throw this.#broken('a header of the answer is malformed')
      const name = match[1]!.toLowerCase()
      const before = this.headers.get(name)
      this.headers.set(name, before === undefined ? match[2]! : `${before}, ${match[2]}`)
    }
  }

  #startBody(persistent: boolean): void {
    const connection = (this.headers.get('connection') ?? '').toLowerCase()
    this.reusable = persistent && !connection.includes('close')
    if (this.#options.bodyless || this.status === 204 || this.status === 304) {
      this.#part = 'done'
      return
    }
    const coding = this.headers.get('content-encoding')
    if (coding !== undefined && coding !== 'identity') {
      throw this.#broken('the answer is compressed, which was not asked for')
    }
    const transfer = this.headers.get('transfer-encoding')
    const length = this.headers.get('content-length')
    if (transfer !== undefined) {
      // Both at once is how requests are smuggled; such a connection is not used again.
      if (length !== undefined) this.reusable = false
      if (transfer.toLowerCase() !== 'chunked') throw this.#broken('its transfer coding is unknown')
      this.#part = 'chunk-size'
    } else if (length !== undefined) this.#startLength(length)
    else {
      this.reusable = false
      this.#part = 'close'
    }
  }

  #startLength(length: string): void {
    if (!/^[0-9]{1,15}$/.test(length)) throw this.#broken('its Content-Length is malformed')
    this.#left = Number(length)
    this.#checkSize(this.#left)
    this.#part = this.#left === 0 ? 'done' : 'length'
  }

  #broken(reason: string): TransientError {
    return new TransientError('http', `Cannot read "${this.#options.what}": ${reason}`)
  }
}
