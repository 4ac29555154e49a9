/**
 * Which encodings of a point of edwards25519 (RFC 8032, 5.1.2) must not be a public key. For the
 * eight points of small order one signature can be valid for many messages, made without any
 * secret; an encoding with y ≥ p is a second spelling of another key.
 */

/** 2^255 − 19. */
const P = 2n ** 255n - 19n

/** The y coordinates of the points whose order divides 8; x and −x share one. */
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  P - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
])

export function isWeakPoint(point: Uint8Array): boolean {
  const littleEndian = Buffer.from(point).reverse()
  // The highest bit is the sign of x.
  littleEndian[0] = (littleEndian[0] ?? 0) & 0x7f
  const y = BigInt(`0x${littleEndian.toString('hex')}`)
  return y >= P || SMALL_ORDER_Y.has(y)
}
