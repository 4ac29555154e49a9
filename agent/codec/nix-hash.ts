/**
 * A SHA-256 as Nix writes it: `sha256:` and 52 base32 characters. Older texts hold 64 hexadecimal
 * digits instead, with or without the prefix; what is written here always is the first form.
 */
import { decodeBase32, encodeBase32 } from './base32.ts'
import { RejectedError } from './errors.ts'

const prefix = 'sha256:'
const hexadecimal = /^[0-9a-f]{64}$/

export function formatNixHash(sha256: Uint8Array): string {
  return prefix + encodeBase32(sha256)
}

/** The 32 bytes; fails with `base32` on another algorithm or encoding. */
export function parseNixHash(text: string): Buffer {
  if (!text.startsWith(prefix)) {
    throw new RejectedError('base32', `Cannot read hash "${text.slice(0, 80)}": it is not sha256`)
  }
  const digits = text.slice(prefix.length)
  return hexadecimal.test(digits) ? Buffer.from(digits, 'hex') : decodeBase32(digits, 32)
}

/** Whether `text` is exactly what {@link formatNixHash} writes. */
export function isNixHash(text: string): boolean {
  try {
    return formatNixHash(parseNixHash(text)) === text
  } catch (error) {
    if (error instanceof RejectedError) return false
    throw error
  }
}
