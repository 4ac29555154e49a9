import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isContentAddressed } from '../../../agent/codec/content-address.ts'
import { maskedDigest } from '../../../agent/codec/nar-mask.ts'
import { narDigest, narOf } from '../../../agent/codec/nar-write.ts'
import { formatNixHash } from '../../../agent/codec/nix-hash.ts'
import { fixedOutputPath } from '../../../agent/codec/store-path.ts'
import { needs } from '../../support/needs.ts'
import { nixOracle } from '../../support/nix-oracle.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const chunkBytes = 256 * 1024
const stepBytes = 8 * 1024

const trees: [name: string, make: (path: string) => void][] = [
  ['an empty file', path => writeFileSync(path, '')],
  ['a file', path => writeFileSync(path, 'hello\n')],
  ['an executable file', path => writeFileSync(path, '#!/bin/sh\n', { mode: 0o755 })],
  [
    'a file that others may execute, but not its owner',
    path => {
      writeFileSync(path, 'x')
      chmodSync(path, 0o611)
    },
  ],
  ['a symbolic link that leads nowhere', path => symlinkSync('../../no/where', path)],
  ['the longest target', path => symlinkSync('x'.repeat(4095), path)],
  ['an empty directory', path => mkdirSync(path)],
  [
    'names in the order of their bytes',
    path => {
      mkdirSync(path)
      for (const name of [
        'b',
        'a',
        'B',
        '_',
        'a.b',
        'a-b',
        'ab',
        'é',
        '\u{1F600}',
        '\uFF5E',
        '~',
      ]) {
        writeFileSync(join(path, name), name)
      }
    },
  ],
  [
    'names that are not UTF-8',
    path => {
      mkdirSync(path)
      const names = [[0x80], [0xff, 0xfe], [0x61, 0xc3], [0x0a], [0x01], [0xc3, 0xa9]]
      for (const name of names) writeFileSync(bytes(path, Buffer.from(name)), 'x')
      symlinkSync(Buffer.from([0xfe]), bytes(path, Buffer.from('link')))
    },
  ],
  [
    'a name of 255 bytes',
    path => {
      mkdirSync(path)
      writeFileSync(join(path, 'n'.repeat(255)), 'x')
    },
  ],
  [
    'directories 60 deep',
    path => {
      mkdirSync(join(path, ...Array(60).fill('d')), { recursive: true })
      writeFileSync(join(path, ...Array(60).fill('d'), 'file'), 'deep')
    },
  ],
  [
    'a directory of 600 entries',
    path => {
      mkdirSync(path)
      for (let index = 0; index < 600; index++) writeFileSync(join(path, `${index}`), `${index}`)
    },
  ],
  [
    'files and directories that alternate',
    path => {
      mkdirSync(join(path, 'a', 'b'), { recursive: true })
      mkdirSync(join(path, 'c'))
      for (const name of ['a/b/1', 'a/2', 'c/3', 'b', 'd']) writeFileSync(join(path, name), name)
    },
  ],
]

for (const [name, make] of trees) {
  test(`writes ${name} as Nix does`, t => {
    needs('nix-store')
    const path = join(temporaryDirectory(t), 'tree')
    make(path)
    sameAsNix(path)
  })
}

test('writes contents of every size around its chunks and their padding as Nix does', t => {
  needs('nix-store')
  const path = join(temporaryDirectory(t), 'tree')
  mkdirSync(path)
  const sizes = [1, 7, 8, 9, 2 * chunkBytes, 3 * chunkBytes + 5]
  for (const edge of [chunkBytes - stepBytes, chunkBytes]) {
    for (let size = edge - 200; size <= edge + 8; size += 13) sizes.push(size)
  }
  for (const size of sizes) writeFileSync(join(path, `${size}`), Buffer.alloc(size, `${size} `))
  sameAsNix(path)
})

test('ends a file anywhere near the end of a chunk as Nix does', t => {
  needs('nix-store')
  const path = join(temporaryDirectory(t), 'file')
  const headerBytes = 96
  for (let left = 0; left <= 40; left += 3) {
    writeFileSync(path, Buffer.alloc(chunkBytes - headerBytes - left, 'x'))
    sameAsNix(path)
  }
})

test('announces a size beyond 32 bits', t => {
  const path = join(temporaryDirectory(t), 'sparse')
  closeSync(openSync(path, 'w'))
  truncateSync(path, 2 ** 33 + 5)
  const chunks = narOf(path)
  const { value } = chunks.next()
  const header = value?.subarray(0, 120) ?? Buffer.alloc(0)
  assert.equal(header.readBigUInt64LE(header.indexOf('contents') + 8), 2n ** 33n + 5n)
  chunks.return()
})

test('digests what it writes', t => {
  const path = join(temporaryDirectory(t), 'file')
  writeFileSync(path, 'hello\n')
  const sha256 = createHash('sha256').update(nar(path)).digest()
  const narHash = 'sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw'
  assert.deepEqual(narDigest(path), { narHash, narSize: 120, sha256 })
})

test('refuses what is no file, directory or link', t => {
  const path = join(temporaryDirectory(t), 'pipe')
  execFileSync('mkfifo', [path])
  assert.throws(() => nar(path), { code: 'unpackable' })
})

test('refuses a file that shrinks while it is read', t => {
  const path = join(temporaryDirectory(t), 'file')
  writeFileSync(path, Buffer.alloc(4 * chunkBytes))
  const chunks = narOf(path)
  chunks.next()
  truncateSync(path, chunkBytes)
  assert.throws(() => [...chunks], { code: 'unpackable' })
})

test('fails when the tree is not there', t => {
  const path = join(temporaryDirectory(t), 'none')
  rmSync(path, { force: true })
  assert.throws(() => nar(path), { code: 'ENOENT' })
})

test('masks a hash wherever chunks divide it', () => {
  const hash = '0123456789abcdfghijklmnpqrsvwxyz'
  const text = Buffer.from(`${hash}--${hash}${hash}-${hash.slice(1)}-${hash}`)
  const masked = Buffer.from(text.toString().replaceAll(hash, '\0'.repeat(32)))
  const offsets = [0, 34, 66, text.length - 32].map(offset => `|${offset}`).join('')
  const expected = createHash('sha256').update(masked).update(offsets).digest()
  for (let size = 1; size <= text.length; size++) {
    const chunks: Buffer[] = []
    for (let at = 0; at < text.length; at += size) chunks.push(text.subarray(at, at + size))
    assert.deepEqual(maskedDigest(chunks, hash), expected)
  }
})

test('computes the path of a tree that refers to itself as Nix does', t => {
  const directory = temporaryDirectory(t)
  const nix = nixOracle(directory)
  const references = ['a', 'self'].map((name, n) => `/nix/store/${`${n}`.repeat(32)}-${name}`)
  const [other, self] = references as [string, string]
  const place = (path: string) => join(nix.root, path)
  mkdirSync(join(place(self), 'sub'), { recursive: true })
  writeFileSync(place(other), 'other')
  writeFileSync(join(place(self), 'sub', 'text'), `${self} ${other} ${self}/x ${'y'.repeat(5e5)}`)
  symlinkSync(`${self}/sub`, join(place(self), 'link'))
  nix.load([
    { path: other, ...narDigest(place(other)), references: [] },
    { path: self, ...narDigest(place(self)), references },
  ])
  const made = nix.nix('store', 'make-content-addressed', '--json', self)
  const rewrites = JSON.parse(made).rewrites as Record<string, string>
  const path = rewrites[self] ?? ''
  const sha256 = maskedDigest(narOf(join(nix.root, path)), path.slice(11, 43))
  const [known] = JSON.parse(nix.nix('path-info', '--json', path))
  const others = (known.references as string[]).filter(reference => reference !== path)
  assert.equal(others.length, 1)
  assert.equal(fixedOutputPath({ name: 'self', sha256, references: others, self: true }), path)
  const info = { path, ...narDigest(place(path)), references: [path, ...others].sort() }
  const ca = `fixed:r:${formatNixHash(sha256)}`
  assert.equal(known.ca, ca)
  assert.equal(isContentAddressed({ ...info, ca }), true)
  assert.equal(isContentAddressed({ ...info, ca, references: others }), false)
  assert.equal(isContentAddressed({ ...info, ca: `fixed:r:${info.narHash}` }), false)
})

function sameAsNix(path: string): void {
  const dumped = execFileSync('nix-store', ['--dump', path], { maxBuffer: 2 ** 30 })
  const written = nar(path)
  assert.equal(written.length, dumped.length)
  assert.ok(written.equals(dumped), 'the bytes differ')
}

function nar(path: string): Buffer {
  const chunks: Buffer[] = []
  for (const chunk of narOf(path)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

function bytes(folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), name])
}
