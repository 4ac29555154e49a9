/** The data types of SSH (RFC 4251, section 5) that keys and signatures use: uint32 and string. */
import { RejectedError } from './errors.ts'

/** Reads fields in order; every length is checked against what is there. */
export class SshReader {
  readonly #bytes: Buffer
  readonly #what: string
  #at = 0

  /** `what` names the bytes in messages, such as `public key`. */
  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  uint32(): number {
    return this.fixed(4).readUInt32BE()
  }

  string(): Buffer {
    return this.fixed(this.uint32())
  }

  text(): string {
    return this.string().toString('latin1')
  }

  fixed(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw this.error('it ends too early')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  rest(): Buffer {
    return this.fixed(this.#bytes.length - this.#at)
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw this.error('something follows its end')
  }

  error(is: string): RejectedError {
    return new RejectedError('key', `Cannot read "${this.#what}": ${is}`)
  }
}

export function sshUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function sshString(value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([sshUint32(bytes.length), bytes])
}

/** Base64 that has exactly one spelling; undefined for anything else. */
export function decodeBase64(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
