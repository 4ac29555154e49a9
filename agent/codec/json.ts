/**
 * Strict JSON (RFC 8259), for bytes that somebody else wrote. On top of the grammar:
 *
 *   - at most `bytesMax` bytes, valid UTF-8 without a byte-order mark
 *   - no key twice in one object; no lone surrogate; no number longer than NUMBER_LENGTH_MAX
 *   - at most DEPTH_MAX arrays and objects inside each other, so the recursion is bounded
 *
 * Time is linear in the bytes. Objects have no prototype: `__proto__` is a key like any other.
 * Single fields are read with `json-fields.ts`.
 */
import { RejectedError } from './errors.ts'

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
export type JsonObject = { [key: string]: JsonValue }

/** The default cap. A release for 5,000 hosts is about this large. */
export const JSON_BYTES_MAX = 1024 * 1024
/** Our documents need 6; the rest is room for later ones. */
export const JSON_DEPTH_MAX = 32
/** The longest double that JavaScript prints has 24 characters. */
const NUMBER_LENGTH_MAX = 64

export type ParseOptions = {
  /** Names the bytes in messages, such as `release.json`. */
  what: string
  bytesMax?: number
}

/** Parses one JSON value. Errors: RejectedError `json`, with line and column where they help. */
export function parseJson(bytes: Uint8Array, options: ParseOptions): JsonValue {
  const { what, bytesMax = JSON_BYTES_MAX } = options
  if (bytes.length > bytesMax) {
    throw refused(what, `it has ${bytes.length} bytes, and at most ${bytesMax} are read`)
  }
  return new Parser(decodeUtf8(bytes, what), what).document()
}

/** Parses one JSON object: what every document of ours is. */
export function parseJsonObject(bytes: Uint8Array, options: ParseOptions): JsonObject {
  const value = parseJson(bytes, options)
  if (!isObject(value)) throw refused(options.what, 'it is not a JSON object')
  return value
}

/** Bytes of a document that people also read: two spaces, and a line feed at the end. */
export function encodeJson(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function decodeUtf8(bytes: Uint8Array, what: string): string {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new RejectedError('json', `Cannot read "${what}": it is not UTF-8`, { cause })
  }
  if (text.startsWith('\uFEFF')) throw refused(what, 'it begins with a byte-order mark')
  return text
}

function refused(what: string, is: string): RejectedError {
  return new RejectedError('json', `Cannot read "${what}": ${is}`)
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y
const words = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const

class Parser {
  readonly #text: string
  readonly #what: string
  #at = 0
  #depth = 0

  constructor(text: string, what: string) {
    this.#text = text
    this.#what = what
  }

  document(): JsonValue {
    this.#space()
    const value = this.#value()
    this.#space()
    if (this.#at < this.#text.length) throw this.#error('something follows its end')
    return value
  }

  #value(): JsonValue {
    const first = this.#text.charCodeAt(this.#at)
    if (first === 0x22) return this.#string()
    if (first === 0x7b) return this.#object()
    if (first === 0x5b) return this.#array()
    if (first === 0x2d || (first >= 0x30 && first <= 0x39)) return this.#number()
    for (const [word, value] of words) {
      if (!this.#text.startsWith(word, this.#at)) continue
      this.#at += word.length
      return value
    }
    throw this.#error(Number.isNaN(first) ? 'it ends too early' : 'a value is expected')
  }

  #object(): JsonObject {
    const object: JsonObject = Object.create(null)
    let more = this.#open(0x7d)
    while (more) {
      const start = this.#at
      const key = this.#key()
      if (key in object) throw this.#error(`the key ${shown(key)} is there twice`, start)
      object[key] = this.#value()
      more = this.#next(0x7d)
    }
    return object
  }

  #array(): JsonValue[] {
    const array: JsonValue[] = []
    let more = this.#open(0x5d)
    while (more) {
      array.push(this.#value())
      more = this.#next(0x5d)
    }
    return array
  }

  /** Enters an array or object; whether it has items. */
  #open(close: number): boolean {
    if (this.#depth >= JSON_DEPTH_MAX) {
      throw this.#error(`it nests deeper than ${JSON_DEPTH_MAX} levels`)
    }
    this.#at += 1
    this.#space()
    if (this.#text.charCodeAt(this.#at) === close) {
      this.#at += 1
      return false
    }
    this.#depth += 1
    return true
  }

  /** Passes the comma or the end after an item; whether another follows. */
  #next(close: number): boolean {
    this.#space()
    const code = this.#text.charCodeAt(this.#at)
    if (code !== 0x2c && code !== close) {
      throw this.#error(`"," or "${String.fromCharCode(close)}" is expected`)
    }
    this.#at += 1
    if (code === close) this.#depth -= 1
    else this.#space()
    return code !== close
  }

  #key(): string {
    if (this.#text.charCodeAt(this.#at) !== 0x22) {
      throw this.#error('a key in double quotes is expected')
    }
    const key = this.#string()
    this.#space()
    if (this.#text.charCodeAt(this.#at) !== 0x3a) throw this.#error('":" is expected after a key')
    this.#at += 1
    this.#space()
    return key
  }

  #string(): string {
    const start = this.#at
    let escaped = false
    let at = start + 1
    for (;;) {
      const code = this.#text.charCodeAt(at)
      if (code === 0x22) break
      if (Number.isNaN(code)) throw this.#error('a string does not end', start)
      if (code < 0x20) throw this.#error('a control character stands in a string', at)
      if (code === 0x5c) {
        escaped = true
        at += 1
      }
      at += 1
    }
    this.#at = at + 1
    if (!escaped) return this.#text.slice(start + 1, at)
    return this.#unescape(this.#text.slice(start, at + 1), start)
  }

  #unescape(literal: string, start: number): string {
    let value: string
    try {
      value = JSON.parse(literal) as string
    } catch {
      throw this.#error('a string holds an unknown escape', start)
    }
    if (!value.isWellFormed()) throw this.#error('a string holds half a character', start)
    return value
  }

  #number(): number {
    const short = this.#digit()
    if (short !== undefined) return short
    NUMBER.lastIndex = this.#at
    const literal = NUMBER.exec(this.#text)?.[0] ?? ''
    const follows = this.#text[this.#at + literal.length] ?? ''
    if (literal === '' || /[0-9.eE+-]/.test(follows)) throw this.#error('a number is malformed')
    if (literal.length > NUMBER_LENGTH_MAX) throw this.#error('a number is too long')
    this.#at += literal.length
    return Number(literal)
  }

  /** The commonest number, one digit, without a regular expression. */
  #digit(): number | undefined {
    const code = this.#text.charCodeAt(this.#at)
    const next = this.#text[this.#at + 1]
    if (code === 0x2d || (next !== ',' && next !== '}' && next !== ']')) return undefined
    this.#at += 1
    return code - 0x30
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at += 1
    }
  }

  #error(is: string, at = this.#at): RejectedError {
    let line = 1
    let start = 0
    for (let next = this.#text.indexOf('\n'); next !== -1 && next < at; line += 1) {
      start = next + 1
      next = this.#text.indexOf('\n', start)
    }
    const column = at - start + 1
    return refused(this.#what, `${is} (line ${line}, column ${column})`)
  }
}

/** A key for a message: quoted, and never longer than a line. */
function shown(key: string): string {
  return JSON.stringify(key.length > 60 ? `${key.slice(0, 60)}…` : key)
}
