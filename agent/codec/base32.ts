/**
 * Nix's own base32: least significant five bits last; no letters e, o, t and u; no padding.
 *
 *   text  = ceil(bytes × 8 / 5) characters of the alphabet below; unused leading bits are zero
 */
import { RejectedError } from './errors.ts'

export const BASE32_ALPHABET = '0123456789abcdfghijklmnpqrsvwxyz'

const digits = new Map([...BASE32_ALPHABET].map((character, digit) => [character, digit]))

/** How many characters bytes take: 32 for the 20 bytes of a store path, 52 for a SHA-256. */
export function base32Length(byteLength: number): number {
  return Math.ceil((byteLength * 8) / 5)
}

export function encodeBase32(bytes: Uint8Array): string {
  let text = ''
  for (let place = base32Length(bytes.length) - 1; place >= 0; place--) {
    const bit = place * 5
    const pair = (bytes[bit >> 3] ?? 0) | ((bytes[(bit >> 3) + 1] ?? 0) << 8)
    text += BASE32_ALPHABET[(pair >> (bit & 7)) & 31]
  }
  return text
}

/** Fails with `base32` on another length, a foreign character, or bits that no byte holds. */
export function decodeBase32(text: string, byteLength: number): Buffer {
  if (text.length !== base32Length(byteLength)) {
    throw refuse(text, `it is not ${base32Length(byteLength)} characters long`)
  }
  const bytes = Buffer.alloc(byteLength)
  for (let place = 0; place < text.length; place++) {
    const digit = digits.get(text.charAt(text.length - 1 - place))
    if (digit === undefined) throw refuse(text, 'it holds a character outside the alphabet')
    const bit = place * 5
    const index = bit >> 3
    const shifted = digit << (bit & 7)
    bytes[index] = (bytes[index] ?? 0) | (shifted & 255)
    const carry = shifted >> 8
    if (index + 1 < byteLength) bytes[index + 1] = carry
    else if (carry !== 0) throw refuse(text, 'it encodes more bits than its bytes have')
  }
  return bytes
}

function refuse(text: string, why: string): RejectedError {
  return new RejectedError('base32', `Cannot read base32 "${text.slice(0, 64)}": ${why}`)
}
