import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import { type Compression, openDecoder, zstdHandlesWork } from '../../../agent/store/decode.ts'

const plain = Buffer.concat([Buffer.alloc(1_000_000, 'lorem ipsum '), randomBytes(300_000)])
const xz = execFileSync('xz', ['-c', '-0'], { input: plain, maxBuffer: 2 ** 24 })
const zstd = zstdCompressSync(plain)

const kinds: [name: string, Compression, packed: Buffer, handles: boolean][] = [
  ['zstd by handle', 'zstd', zstd, true],
  ['zstd by stream', 'zstd', zstd, false],
  ['xz', 'xz', xz, true],
  ['none', 'none', plain, true],
]

async function decode(
  [, compression, , handles]: (typeof kinds)[number],
  packed: Buffer,
  cut: number,
): Promise<Buffer> {
  const parts: Buffer[] = []
  const decoder = openDecoder(compression, bytes => parts.push(Buffer.from(bytes)), handles)
  try {
    // One buffer for every piece, as a connection has it.
    const piece = Buffer.alloc(cut)
    for (let at = 0; at < packed.length; at += cut) {
      const length = packed.copy(piece, 0, at, at + cut)
      await decoder.push(piece.subarray(0, length))
    }
    await decoder.end()
  } finally {
    decoder.close()
  }
  return Buffer.concat(parts)
}

test('knows that the handles of this Node work', () => {
  assert.ok(zstdHandlesWork())
})

for (const kind of kinds) {
  const [name, compression, packed] = kind
  test(`decodes ${name}, in pieces of any size, more than once`, async () => {
    for (const cut of [packed.length, 65_536, 4_999]) {
      assert.ok((await decode(kind, packed, cut)).equals(plain), `pieces of ${cut}`)
    }
  })
  if (compression === 'none') continue
  test(`refuses junk as ${name}, and decodes well after it`, async () => {
    await assert.rejects(decode(kind, Buffer.from('this is not compressed at all'), 7), {
      code: 'compression',
      kind: 'rejected',
    })
    assert.ok((await decode(kind, packed, 65_536)).equals(plain))
  })
  test(`hands on what its receiver throws, with ${name}`, async () => {
    const decoder = openDecoder(
      compression,
      () => {
        throw new Error('enough')
      },
      kind[3],
    )
    const run = async () => {
      await decoder.push(packed)
      await decoder.end()
    }
    await assert.rejects(run, /enough/)
    decoder.close()
  })
}
