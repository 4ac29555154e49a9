/**
 * Registrations, as `nix-store --dump-db` writes and `--load-db` reads them: what an image carries
 * beside its store as `/nix-path-registration`. Per path, one line each:
 *
 *   path, SHA-256 of the NAR (64 hexadecimal digits), NAR size, deriver or nothing,
 *   number of references, and that many references
 *
 * Content addresses are not part of the format.
 */
import type { PathInfo, StorePath } from './documents.ts'
import { RejectedError } from './errors.ts'
import { formatNixHash, parseNixHash } from './nix-hash.ts'
import { isStorePath } from './store-path.ts'

/** As text of 20,000 paths with 100 references each; read at once, so it needs some limit. */
export const REGISTRATION_BYTES_MAX = 256 * 1024 * 1024

export function encodeRegistration(infos: PathInfo[]): Buffer {
  const lines = infos.flatMap(info => [
    info.path,
    parseNixHash(info.narHash).toString('hex'),
    String(info.narSize),
    '',
    String(info.references.length),
    ...info.references,
  ])
  return Buffer.from(lines.map(line => `${line}\n`).join(''))
}

/** The paths in the order of the text, derivers left out. Fails with `registration`. */
export function decodeRegistration(bytes: Uint8Array): PathInfo[] {
  const lines = new Lines(bytes)
  const infos = new Map<StorePath, PathInfo>()
  while (!lines.done) {
    const path = lines.storePath()
    const narHash = lines.hash()
    const narSize = lines.number()
    lines.deriver()
    const count = lines.number()
    const references: StorePath[] = []
    while (references.length < count) references.push(lines.storePath())
    if (infos.has(path)) throw lines.refuse(`"${path}" is there twice`)
    const sorted = [...new Set(references)].sort()
    if (sorted.length < count) throw lines.refuse(`"${path}" has a reference twice`)
    infos.set(path, { path, narHash, narSize, references: sorted })
  }
  return [...infos.values()]
}

/** Takes line after line, each ended by a line feed. */
class Lines {
  readonly #text: string
  #at = 0
  #line = 0

  constructor(bytes: Uint8Array) {
    if (bytes.length > REGISTRATION_BYTES_MAX) throw this.refuse('it is too large')
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  }

  get done(): boolean {
    return this.#at === this.#text.length
  }

  storePath(): StorePath {
    const line = this.#next()
    if (!isStorePath(line)) throw this.refuse('a store path is expected')
    return line
  }

  deriver(): void {
    const line = this.#next()
    if (line !== '' && !isStorePath(line)) throw this.refuse('a deriver or nothing is expected')
  }

  hash(): string {
    const line = this.#next()
    if (!/^[0-9a-f]{64}$/.test(line)) throw this.refuse('64 hexadecimal digits are expected')
    return formatNixHash(Buffer.from(line, 'hex'))
  }

  number(): number {
    const line = this.#next()
    const value = Number(line)
    if (!/^(0|[1-9][0-9]*)$/.test(line) || !Number.isSafeInteger(value)) {
      throw this.refuse('a whole number is expected')
    }
    return value
  }

  refuse(why: string): RejectedError {
    const place = `line ${this.#line}`
    return new RejectedError('registration', `Cannot read "path registration": ${why} (${place})`)
  }

  #next(): string {
    this.#line++
    const end = this.#text.indexOf('\n', this.#at)
    if (end === -1) throw this.refuse('it ends too early')
    const line = this.#text.slice(this.#at, end)
    this.#at = end + 1
    return line
  }
}
