import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  decodeClosure,
  encodeClosure,
  type Manifest,
  referencesFirst,
} from '../../../agent/codec/closure.ts'
import { isContentAddressed } from '../../../agent/codec/content-address.ts'
import type { PathInfo } from '../../../agent/codec/documents.ts'

const path = (letter: string) => `/nix/store/${letter.repeat(32)}-${letter}`
const narHash = `sha256:${'0'.repeat(52)}`
const info = (letter: string, references: string[] = []): PathInfo => ({
  path: path(letter),
  narHash,
  narSize: 120,
  references: references.map(path),
})

/** d needs b, c and itself; b and c need a. */
const diamond: Manifest = {
  system: path('d'),
  paths: [info('a'), info('b', ['a']), info('c', ['a']), info('d', ['b', 'c', 'd'])],
}

test('encodes to canonical bytes whose digest never changes', () => {
  const ca = `fixed:r:sha256:${'0'.repeat(52)}`
  const index = { sha256: 'ab'.repeat(32), size: 9 }
  const bytes = encodeClosure({ system: path('a'), paths: [{ ...info('a'), ca }], index })
  assert.equal(
    bytes.toString(),
    `{"index":{"sha256":"${'ab'.repeat(32)}","size":9},"paths":[{"ca":"${ca}",` +
      `"narHash":"${narHash}","narSize":120,"path":"${path('a')}","references":[]}],` +
      `"system":"${path('a')}","type":"holdfast-closure-1"}`,
  )
  const digest = createHash('sha256').update(encodeClosure(diamond)).digest('hex')
  assert.equal(digest, 'fe67bd679a1136339e6dff8e0868915d37e3bbd7821e93ba34250028081b4c66')
})

test('gives back what was encoded, whatever the order it came in', () => {
  const shuffled = { ...diamond, paths: [...diamond.paths].reverse() }
  const bytes = encodeClosure(shuffled)
  assert.deepEqual(decodeClosure(bytes), diamond)
  assert.deepEqual(encodeClosure(decodeClosure(bytes)), bytes)
})

test('refuses every truncation', () => {
  const bytes = encodeClosure(diamond)
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeClosure(bytes.subarray(0, length)), { code: 'json' })
  }
})

type Edit = (manifest: ReturnType<typeof plain>) => void
const plain = () => JSON.parse(encodeClosure(diamond).toString()) as PlainManifest
type PlainManifest = Record<string, unknown> & { paths: Record<string, unknown>[] }

const first = (change: Record<string, unknown>): Edit => {
  return manifest => Object.assign(manifest.paths[0] ?? {}, change)
}
const cases: [name: string, code: string, edit: Edit][] = [
  ['a manifest without its system', 'closure', m => m.paths.pop()],
  ['a dangling reference', 'closure', m => m.paths.shift()],
  ['a cycle between distinct paths', 'closure', first({ references: [path('d')] })],
  ['a path twice', 'closure', m => m.paths.splice(0, 0, m.paths[0] ?? {})],
  [
    'a path twice with other content',
    'closure',
    m => m.paths.splice(0, 0, { ...m.paths[0], narSize: 7 }),
  ],
  ['paths out of order', 'closure', m => m.paths.reverse()],
  [
    'a path that the system does not need',
    'closure',
    m => m.paths.push({ ...m.paths[0], path: path('f') }),
  ],
  [
    'a reference twice',
    'closure',
    m => Object.assign(m.paths[1] ?? {}, { references: [path('a'), path('a')] }),
  ],
  [
    'references out of order',
    'closure',
    m => Object.assign(m.paths[3] ?? {}, { references: [path('c'), path('b'), path('d')] }),
  ],
  ['a negative size', 'schema', first({ narSize: -1 })],
  ['a size of 2^60', 'schema', first({ narSize: 2 ** 60 })],
  ['a size of 2^53', 'schema', first({ narSize: 2 ** 53 })],
  ['half a byte', 'schema', first({ narSize: 1.5 })],
  ['a size in quotes', 'schema', first({ narSize: '120' })],
  ['no size', 'schema', first({ narSize: undefined })],
  ['a hash without algorithm', 'closure', first({ narHash: '0'.repeat(52) })],
  ['a hash in hexadecimal', 'closure', first({ narHash: `sha256:${'0'.repeat(64)}` })],
  ['another algorithm', 'closure', first({ narHash: `sha1:${'0'.repeat(32)}` })],
  ['a malformed content address', 'closure', first({ ca: 'fixed:x' })],
  ['an unknown key in a path', 'schema', first({ deriver: 'x' })],
  ['an unknown key', 'schema', m => Object.assign(m, { system2: 'x' })],
  ['a feature that is not known', 'closure', m => Object.assign(m, { requires: ['future'] })],
  ['a malformed index', 'closure', m => Object.assign(m, { index: { sha256: 'AB', size: 1 } })],
  ['another type', 'schema', m => Object.assign(m, { type: 'holdfast-closure-2' })],
  ['a system that is no store path', 'closure', m => Object.assign(m, { system: '/etc' })],
  ['no paths', 'closure', m => m.paths.splice(0)],
  ['a path that is null', 'closure', m => m.paths.splice(0, 1, null as never)],
]

for (const [name, code, edit] of cases) {
  test(`H22 refuses ${name}`, () => {
    const manifest = plain()
    edit(manifest)
    assert.throws(() => decodeClosure(Buffer.from(JSON.stringify(manifest))), { code })
  })
}

test('takes sizes up to 2^53-1, no required features, and a path that needs itself', () => {
  const manifest = { ...plain(), requires: [] }
  first({ narSize: 2 ** 53 - 1, references: [path('a')] })(manifest)
  const decoded = decodeClosure(Buffer.from(JSON.stringify(manifest)))
  assert.equal(decoded.paths[0]?.narSize, 2 ** 53 - 1)
})

test('the manifest in the documentation is one', () => {
  const page = readFileSync(new URL('../../../docs/reference/formats.md', import.meta.url), 'utf8')
  const [, example = ''] = /```json\n(.*?)```/s.exec(page) ?? []
  const [info] = decodeClosure(Buffer.from(example)).paths
  assert.ok(info !== undefined && isContentAddressed(info))
})

test('will not encode what it would refuse', () => {
  assert.throws(() => encodeClosure({ ...diamond, system: path('f') }), { code: 'closure' })
})

test('puts every path after what it refers to', () => {
  const ordered = referencesFirst([...diamond.paths].reverse())
  const seen = new Set<string>()
  for (const { path: self, references } of ordered) {
    seen.add(self)
    assert.ok(references.every(reference => seen.has(reference)))
  }
  assert.equal(seen.size, 4)
})

test('orders a chain of 200,000 paths in constant stack', () => {
  const name = (index: number) => `/nix/store/${String(index).padStart(32, '0')}-x`
  const chain = Array.from({ length: 200_000 }, (_, index) => ({
    ...info('a'),
    path: name(index),
    references: index === 199_999 ? [] : [name(index + 1)],
  }))
  assert.equal(referencesFirst(chain)[0]?.path, name(199_999))
})
