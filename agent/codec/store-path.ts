/**
 * Store paths, as Nix computes them (its manual, "Complete Store Path Calculation").
 *
 *   path = "/nix/store/" hash "-" name
 *   hash = 32 base32 characters: SHA-256 of the text below, folded by XOR to 20 bytes
 *   text = type *(":" reference) [":self"] ":sha256:" hex ":/nix/store:" name
 *   type = "source" (a NAR) | "text" (a plain file)
 *   name = 1*211( letter | digit | one of "+-._?=" ), not "." or ".." nor either followed by "-"
 */
import { createHash } from 'node:crypto'
import { encodeBase32 } from './base32.ts'
import type { StorePath } from './documents.ts'
import { RejectedError } from './errors.ts'

export const STORE_DIR = '/nix/store'
/** Nix's limit: with hash, dash and `.drv.chroot`, a file name still has at most 255 bytes. */
export const STORE_NAME_LENGTH_MAX = 211
/** Characters of the hash part. */
export const STORE_HASH_LENGTH = 32

export type ParsedStorePath = { path: StorePath; hash: string; name: string }

const grammar = /^\/nix\/store\/([0-9a-df-np-sv-z]{32})-([0-9a-zA-Z+\-._?=]{1,211})$/
const reservedName = /^\.\.?(-|$)/

/** Fails with `store-path` on all but a direct child of `/nix/store` that Nix could name so. */
export function parseStorePath(text: unknown): ParsedStorePath {
  const parsed = match(text)
  if (parsed === undefined) {
    const shown = typeof text === 'string' ? text.slice(0, 300) : typeof text
    throw new RejectedError('store-path', `Cannot use "${shown}": it is not a store path`)
  }
  return parsed
}

export function isStorePath(text: unknown): text is StorePath {
  return match(text) !== undefined
}

/** Whether `name` may follow the hash in a store path. */
export function isStoreName(name: string): boolean {
  return match(`${STORE_DIR}/${'0'.repeat(STORE_HASH_LENGTH)}-${name}`) !== undefined
}

function match(text: unknown): ParsedStorePath | undefined {
  if (typeof text !== 'string') return undefined
  const [path, hash, name] = grammar.exec(text) ?? []
  if (path === undefined || hash === undefined || name === undefined) return undefined
  return reservedName.test(name) ? undefined : { path, hash, name }
}

export type FixedOutput = {
  name: string
  /** SHA-256 of the NAR; where `self` is true, its `maskedDigest`: see `nar-mask.ts`. */
  sha256: Uint8Array
  /** Other paths it refers to, in any order. */
  references: StorePath[]
  /** Whether it refers to itself. */
  self: boolean
}

/** The path of a content-addressed tree: what `nix-store --add` and `fixed:r:sha256` give. */
export function fixedOutputPath(output: FixedOutput): StorePath {
  return makeStorePath(typed('source', output.references, output.self), output.sha256, output.name)
}

/** The path of a content-addressed plain file: what `builtins.toFile` gives. */
export function textPath(name: string, sha256: Uint8Array, references: StorePath[]): StorePath {
  return makeStorePath(typed('text', references, false), sha256, name)
}

/** The path of one plain file by the SHA-256 of its bytes: what `nix-store --add-fixed` gives. */
export function flatOutputPath(name: string, sha256: Uint8Array): StorePath {
  const inner = createHash('sha256')
    .update(`fixed:out:sha256:${hex(sha256)}:`)
    .digest()
  return makeStorePath('output:out', inner, name)
}

function typed(type: string, references: StorePath[], self: boolean): string {
  const sorted = [...new Set(references)].sort()
  return [type, ...sorted, ...(self ? ['self'] : [])].join(':')
}

function makeStorePath(type: string, sha256: Uint8Array, name: string): StorePath {
  const text = `${type}:sha256:${hex(sha256)}:${STORE_DIR}:${name}`
  const hash = encodeBase32(fold(createHash('sha256').update(text).digest(), 20))
  return parseStorePath(`${STORE_DIR}/${hash}-${name}`).path
}

function fold(bytes: Uint8Array, length: number): Uint8Array {
  const folded = new Uint8Array(length)
  bytes.forEach((byte, index) => {
    folded[index % length] = (folded[index % length] ?? 0) ^ byte
  })
  return folded
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
