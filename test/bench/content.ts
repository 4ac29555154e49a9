import { createCipheriv, createHash } from 'node:crypto'
import { seeded } from '../support/seeded.ts'

/** Pools are larger than zstd's window at our level, so that pieces of them seldom repeat in it. */
const POOL_BYTES = 48 * 1024 * 1024
const WORDS = 3_000

export type ContentKind = 'text' | 'binary' | 'random'

/** Bytes that compress like text (about 4:1), like programs (about 2:1), and not at all. */
export class Content {
  readonly #random: (below: number) => number
  readonly #pools: Record<ContentKind, Buffer>

  constructor(seed: number) {
    this.#random = seeded(seed)
    const random = noise(seed)
    const text = textPool(this.#random)
    this.#pools = { text, binary: binaryPool(random, text), random }
  }

  /** Fills `target` with one to four pieces of a pool. */
  fill(target: Buffer, kind: ContentKind): void {
    const pool = this.#pools[kind]
    const pieces = Math.min(target.length, 1 + this.#random(4))
    const piece = Math.ceil(target.length / pieces)
    for (let at = 0; at < target.length; ) {
      const from = this.#random(pool.length)
      at += pool.copy(target, at, from, from + Math.min(piece, target.length - at))
    }
  }
}

function noise(seed: number): Buffer {
  const key = createHash('md5').update(`holdfast ${seed}`).digest()
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(POOL_BYTES))
}

function textPool(random: (below: number) => number): Buffer {
  const letters = 'etaoinshrdlucmfwypvbgkjqxz'
  const words = Array.from({ length: WORDS }, () => {
    const length = 2 + random(8)
    return Array.from({ length }, () => letters[Math.min(random(26), random(26))]).join('')
  })
  const pool = Buffer.alloc(POOL_BYTES)
  for (let at = 0; at < pool.length; ) {
    // Some words are much more frequent than others.
    const word = words[Math.floor((random(WORDS) * random(WORDS) * random(WORDS)) / WORDS ** 2)]!
    at += pool.write(random(12) === 0 ? `${word}\n` : `${word} `, at, 'latin1') || 1
  }
  return pool
}

/** Noise between strings, like code between symbols. */
function binaryPool(noise: Buffer, text: Buffer): Buffer {
  const pool = Buffer.from(noise)
  for (let at = 0; at < pool.length; at += 96) {
    const length = 40 + (noise[at]! & 63)
    text.copy(pool, at, at, at + Math.min(length, 96))
  }
  return pool
}
