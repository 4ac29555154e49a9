/**
 * Content addresses, as Nix writes them in narinfos and in its registry.
 *
 *   ca = "fixed:r:sha256:" HASH   a tree, HASH of its NAR (masked where it refers to itself)
 *      | "fixed:sha256:" HASH     one plain file, HASH of its bytes, without references
 *      | "text:sha256:" HASH      one plain file, HASH of its bytes, which may have references
 *
 * HASH is 52 base32 characters. Nix knows other algorithms too; such paths need a signature here.
 */
import { decodeBase32 } from './base32.ts'
import type { PathInfo } from './documents.ts'
import { RejectedError } from './errors.ts'
import { fixedOutputPath, flatOutputPath, parseStorePath, textPath } from './store-path.ts'

const grammar = /^(fixed:r|fixed|text):sha256:([0-9a-df-np-sv-z]{52})$/

/** Whether the content address of a path gives that very path, so that it needs no signature. */
export function isContentAddressed(info: PathInfo): boolean {
  const [, method, digits] = grammar.exec(info.ca ?? '') ?? []
  if (digits === undefined) return false
  const { name } = parseStorePath(info.path)
  const sha256 = hashOf(digits)
  if (sha256 === undefined) return false
  const others = info.references.filter(path => path !== info.path)
  const self = others.length < info.references.length
  if (method === 'fixed:r') {
    return fixedOutputPath({ name, sha256, references: others, self }) === info.path
  }
  if (self) return false
  if (method === 'text') return textPath(name, sha256, others) === info.path
  return others.length === 0 && flatOutputPath(name, sha256) === info.path
}

function hashOf(digits: string): Buffer | undefined {
  try {
    return decodeBase32(digits, 32)
  } catch (error) {
    if (error instanceof RejectedError) return undefined
    throw error
  }
}
