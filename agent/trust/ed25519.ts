/** Ed25519 (RFC 8032) by tweetnacl, with what tweetnacl lets through refused first. */
import nacl from 'tweetnacl'
import { isWeakPoint } from '../codec/ed25519-point.ts'

/** The order of the base point, L. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n

/**
 * Whether `signature` (64 bytes) of `message` was made by the owner of `point` (32 bytes). Refused
 * too: S ≥ L, which would be a second signature for the same message, and points of small order or
 * in a second spelling. R is compared as bytes with its one canonical encoding.
 */
export function verifyEd25519(
  message: Uint8Array,
  signature: Uint8Array,
  point: Uint8Array,
): boolean {
  if (signature.length !== 64 || point.length !== 32) return false
  if (isWeakPoint(point) || !isScalarReduced(signature.subarray(32))) return false
  return nacl.sign.detached.verify(message, signature, point)
}

export function signEd25519(message: Uint8Array, seed: Uint8Array): Buffer {
  return Buffer.from(nacl.sign.detached(message, nacl.sign.keyPair.fromSeed(seed).secretKey))
}

export function pointOf(seed: Uint8Array): Buffer {
  return Buffer.from(nacl.sign.keyPair.fromSeed(seed).publicKey)
}

function isScalarReduced(bytes: Uint8Array): boolean {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) < L
}
