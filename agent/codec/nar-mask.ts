/**
 * The digest of a NAR "modulo" the hash of its own path, which a path that refers to itself has in
 * its content address: its own hash cannot be part of what it is computed from.
 *
 *   digest = SHA-256( NAR with every occurrence of the 32 characters as 32 zero bytes,
 *                     then "|" and the decimal offset of each occurrence )
 */
import { createHash } from 'node:crypto'

/** `chunks` as `narOf` gives them; `hash` is the hash part of the path, 32 characters. */
export function maskedDigest(chunks: Iterable<Uint8Array>, hash: string): Buffer {
  const digest = createHash('sha256')
  const keep = hash.length - 1
  const offsets: number[] = []
  let held = Buffer.alloc(0)
  let position = 0
  for (const chunk of chunks) {
    const window = Buffer.concat([held, chunk])
    for (let at = window.indexOf(hash); at !== -1; at = window.indexOf(hash, at)) {
      offsets.push(position + at)
      window.fill(0, at, at + hash.length)
    }
    const ready = Math.max(0, window.length - keep)
    digest.update(window.subarray(0, ready))
    held = window.subarray(ready)
    position += ready
  }
  digest.update(held)
  for (const offset of offsets) digest.update(`|${offset}`)
  return digest.digest()
}
