/**
 * A narinfo, `<hash>.narinfo` in a binary cache. Printable ASCII, every line ended by a line feed:
 *
 *   narinfo = *( KEY ": " VALUE LF )
 *
 * StorePath, URL, NarHash and NarSize stand exactly once; Compression (bzip2 without it), FileHash,
 * FileSize, References (names without the store directory), Deriver and CA at most once; Sig any
 * number of times. Other keys are skipped, as later versions of Nix may add some.
 *
 * On a host this is only a hint where the bytes are: what they must be, the closure manifest says.
 */
import type { PathInfo, StorePath } from './documents.ts'
import { RejectedError } from './errors.ts'
import { formatNixHash, isNixHash, parseNixHash } from './nix-hash.ts'
import { isNixSignature } from './nix-key.ts'
import { isStorePath, STORE_DIR } from './store-path.ts'

/** Room for 5,000 references; the most that a NixOS system has are some 3,000. */
export const NARINFO_BYTES_MAX = 512 * 1024
/** A cache that many parties sign has a handful. */
const SIGNATURES_MAX = 64

export type Narinfo = PathInfo & {
  /** Relative to the directory of the narinfo, on the same origin; it never climbs. */
  url: string
  /** Such as `zstd`, `xz`, `none`. */
  compression: string
  fileHash?: string
  fileSize?: number
  deriver?: StorePath
  /** `NAME:BASE64`, in the order they stand in. */
  signatures: string[]
}

/** What is signed for a path, whoever serves it. */
export function fingerprint(info: PathInfo): string {
  return ['1', info.path, info.narHash, info.narSize, [...info.references].sort().join()].join(';')
}

export function formatNarinfo(info: Narinfo): Buffer {
  const lines: [key: string, value: string | number | undefined][] = [
    ['StorePath', info.path],
    ['URL', info.url],
    ['Compression', info.compression],
    ['FileHash', info.fileHash],
    ['FileSize', info.fileSize],
    ['NarHash', info.narHash],
    ['NarSize', info.narSize],
    ['References', [...info.references].sort().map(baseName).join(' ')],
    ['Deriver', info.deriver && baseName(info.deriver)],
    ...info.signatures.map((signature): [string, string] => ['Sig', signature]),
    ['CA', info.ca],
  ]
  const present = lines.filter(([, value]) => value !== undefined)
  return Buffer.from(present.map(([key, value]) => `${key}: ${value}\n`).join(''))
}

/** Reads the narinfo of `path`; fails with `narinfo` on another, and on a broken grammar. */
export function parseNarinfo(bytes: Uint8Array, path: StorePath): Narinfo {
  const fields = new Fields(bytes, path)
  if (fields.one('StorePath') !== path) throw fields.refuse('it is of another path')
  const info: Narinfo = {
    path,
    url: readUrl(fields),
    compression: readCompression(fields),
    narHash: readHash(fields, 'NarHash', fields.one('NarHash')),
    narSize: readSize(fields, 'NarSize', fields.one('NarSize')),
    references: readReferences(fields),
    signatures: fields.all('Sig'),
  }
  if (info.signatures.length > SIGNATURES_MAX) throw fields.refuse('it has too many signatures')
  if (!info.signatures.every(isNixSignature)) throw fields.refuse('Sig is malformed')
  const [fileHash, fileSize, deriver, ca] = ['FileHash', 'FileSize', 'Deriver', 'CA'].map(key =>
    fields.optional(key),
  )
  if (fileHash !== undefined) info.fileHash = readHash(fields, 'FileHash', fileHash)
  if (fileSize !== undefined) info.fileSize = readSize(fields, 'FileSize', fileSize)
  if (deriver !== undefined && deriver !== 'unknown-deriver') {
    info.deriver = readBaseName(fields, deriver)
  }
  if (ca !== undefined && ca !== '') info.ca = ca
  return info
}

function readUrl(fields: Fields): string {
  const url = fields.one('URL')
  const [path = ''] = url.split('?')
  const segments = path.split('/')
  // No scheme, no "//host", no escape that a URL parser would turn into a dot or a slash.
  const plain = url.length <= 1024 && /^[\w.+=~@,-][\w.+=~@,/-]*(\?[\w.+=~@,/&-]*)?$/.test(url)
  const climbs = segments.some(segment => ['', '.', '..'].includes(segment))
  if (!plain || climbs) throw fields.refuse('its URL is not a plain relative one')
  return url
}

function readCompression(fields: Fields): string {
  const compression = fields.optional('Compression') ?? 'bzip2'
  if (!/^[a-z0-9]{1,16}$/.test(compression)) throw fields.refuse('Compression is malformed')
  return compression
}

function readReferences(fields: Fields): StorePath[] {
  const text = fields.optional('References') ?? ''
  const names = text.split(' ').filter(name => name !== '')
  const paths = names.map(name => readBaseName(fields, name)).sort()
  if (new Set(paths).size < paths.length) throw fields.refuse('it has a reference twice')
  return paths
}

function readBaseName(fields: Fields, name: string): StorePath {
  const path = `${STORE_DIR}/${name}`
  if (!isStorePath(path)) throw fields.refuse(`"${name.slice(0, 250)}" is not a store path's name`)
  return path
}

/** Nix reads hexadecimal hashes too; what comes out is base32. */
function readHash(fields: Fields, key: string, text: string): string {
  if (isNixHash(text)) return text
  if (!/^sha256:[0-9a-f]{64}$/.test(text)) throw fields.refuse(`${key} is not a SHA-256`)
  return formatNixHash(parseNixHash(text))
}

function readSize(fields: Fields, key: string, text: string): number {
  const size = Number(text)
  if (/^(0|[1-9][0-9]*)$/.test(text) && Number.isSafeInteger(size)) return size
  throw fields.refuse(`${key} is not a size`)
}

function baseName(path: StorePath): string {
  return path.slice(STORE_DIR.length + 1)
}

/** The lines by their keys. */
class Fields {
  readonly #path: StorePath
  readonly #values = new Map<string, string[]>()

  constructor(bytes: Uint8Array, path: StorePath) {
    this.#path = path
    if (bytes.length > NARINFO_BYTES_MAX) throw this.refuse('it is too large')
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    if (!text.endsWith('\n')) throw this.refuse('its last line does not end')
    for (const line of text.slice(0, -1).split('\n')) this.#add(line)
  }

  one(key: string): string {
    const value = this.optional(key)
    if (value === undefined) throw this.refuse(`it has no ${key}`)
    return value
  }

  optional(key: string): string | undefined {
    const values = this.all(key)
    if (values.length > 1) throw this.refuse(`it has ${key} twice`)
    return values[0]
  }

  all(key: string): string[] {
    return this.#values.get(key) ?? []
  }

  refuse(why: string): RejectedError {
    return new RejectedError('narinfo', `Cannot use "narinfo of ${this.#path}": ${why}`)
  }

  #add(line: string): void {
    const [, key, value] = /^([A-Za-z][A-Za-z0-9-]*): ?([ -~]*)$/.exec(line) ?? []
    if (key === undefined || value === undefined) throw this.refuse('a line is not KEY: VALUE')
    const known = this.#values.get(key)
    if (known === undefined) this.#values.set(key, [value])
    else known.push(value)
  }
}
