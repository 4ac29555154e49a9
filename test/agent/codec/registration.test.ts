import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { narDigest } from '../../../agent/codec/nar-write.ts'
import { decodeRegistration, encodeRegistration } from '../../../agent/codec/registration.ts'
import { nixOracle } from '../../support/nix-oracle.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const path = (digit: string) => `/nix/store/${digit.repeat(32)}-${digit}`
const hex = 'ab'.repeat(32)
const text = [
  path('1'),
  hex,
  '120',
  '',
  '0',
  path('2'),
  hex,
  '9',
  '',
  '2',
  path('1'),
  path('2'),
  '',
].join('\n')

test('gives back what it wrote', () => {
  const infos = decodeRegistration(Buffer.from(text))
  assert.deepEqual(
    infos.map(info => info.references),
    [[], [path('1'), path('2')]],
  )
  assert.equal(encodeRegistration(infos).toString(), text)
  assert.deepEqual(decodeRegistration(Buffer.alloc(0)), [])
})

test('takes a deriver and references in any order', () => {
  const lines = [path('2'), hex, '9', `${path('3')}.drv`, '2', path('2'), path('1'), '']
  const [info] = decodeRegistration(Buffer.from(lines.join('\n')))
  assert.deepEqual(info?.references, [path('1'), path('2')])
})

test('refuses every truncation but the one between two paths', () => {
  const between = text.indexOf(path('2'))
  for (let length = 1; length < text.length; length++) {
    const bytes = Buffer.from(text.slice(0, length))
    if (length === between) assert.equal(decodeRegistration(bytes).length, 1)
    else assert.throws(() => decodeRegistration(bytes), { code: 'registration' })
  }
})

const wrong: [name: string, from: string, to: string][] = [
  ['a path outside the store', path('1'), '/etc/passwd'],
  ['a path twice', path('2'), path('1')],
  ['a base32 hash', hex, '0'.repeat(52)],
  ['an upper-case hash', hex, hex.toUpperCase()],
  ['a negative size', '\n120\n', '\n-1\n'],
  ['a size of 2^53', '\n120\n', `\n${2 ** 53}\n`],
  ['a count that is too large', '\n2\n', '\n3\n'],
  ['a count that is too small', '\n2\n', '\n1\n'],
  ['CRLF', '\n120\n', '\r\n120\r\n'],
  ['a deriver that is no store path', '\n120\n\n', '\n120\nx\n'],
  ['a reference twice', `${path('1')}\n${path('2')}\n`, `${path('1')}\n${path('1')}\n`],
]
for (const [name, from, to] of wrong) {
  test(`refuses ${name}`, () => {
    const bytes = Buffer.from(text.replace(from, to))
    assert.notEqual(bytes.toString(), text)
    assert.throws(() => decodeRegistration(bytes), { code: 'registration' })
  })
}

test('writes what Nix loads, byte for byte as Nix dumps it', t => {
  const nix = nixOracle(temporaryDirectory(t))
  const place = (digit: string) => join(nix.root, path(digit))
  mkdirSync(place('1'), { recursive: true })
  writeFileSync(place('2'), `${path('1')} ${path('2')}`)
  const infos = [
    { path: path('1'), ...narDigest(place('1')), references: [] },
    { path: path('2'), ...narDigest(place('2')), references: [path('1'), path('2')] },
  ]
  nix.load(infos)
  assert.equal(`${nix.store('--dump-db')}\n`, encodeRegistration(infos).toString())
  nix.store('--verify', '--check-contents')
})
