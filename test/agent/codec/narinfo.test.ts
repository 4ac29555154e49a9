import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PathInfo } from '../../../agent/codec/documents.ts'
import { narDigest } from '../../../agent/codec/nar-write.ts'
import {
  fingerprint,
  formatNarinfo,
  NARINFO_BYTES_MAX,
  parseNarinfo,
} from '../../../agent/codec/narinfo.ts'
import { formatNixHash } from '../../../agent/codec/nix-hash.ts'
import {
  generateNixKey,
  parseNixPublicKey,
  parseNixSecretKey,
  signWithNixKey,
  verifyNixSignature,
} from '../../../agent/codec/nix-key.ts'
import { nixOracle } from '../../support/nix-oracle.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const zeros = '0'.repeat(52)
const path = `/nix/store/${'1'.repeat(32)}-hello-2.12`
const secret = parseNixSecretKey(generateNixKey('a.example.org-1'))
const signatures = [signWithNixKey(secret, 'one'), signWithNixKey(secret, 'two')]
const whole = `StorePath: ${path}
URL: nar/${zeros}.nar.zst
Compression: zstd
FileHash: sha256:${zeros}
FileSize: 88
NarHash: sha256:${zeros}
NarSize: 120
References: ${'0'.repeat(32)}-a ${'1'.repeat(32)}-hello-2.12
Deriver: ${'3'.repeat(32)}-hello.drv
Sig: ${signatures[0]}
Sig: ${signatures[1]}
CA: fixed:r:sha256:${zeros}
`
const parse = (text: string) => parseNarinfo(Buffer.from(text, 'latin1'), path)

test('gives back the bytes of a narinfo with every field', () => {
  assert.deepEqual(parse(whole), {
    path,
    url: `nar/${zeros}.nar.zst`,
    compression: 'zstd',
    fileHash: `sha256:${zeros}`,
    fileSize: 88,
    narHash: `sha256:${zeros}`,
    narSize: 120,
    references: [`/nix/store/${'0'.repeat(32)}-a`, path],
    deriver: `/nix/store/${'3'.repeat(32)}-hello.drv`,
    signatures,
    ca: `fixed:r:sha256:${zeros}`,
  })
  assert.equal(formatNarinfo(parse(whole)).toString(), whole)
})

test('takes what other caches write: fewer fields, unknown ones, hexadecimal, a query', () => {
  const hash = Buffer.alloc(32, 7)
  const text = `References:\nStorePath: ${path}\nNarSize: 0\nSystem: x86_64-linux
Deriver: unknown-deriver
NarHash: sha256:${hash.toString('hex')}\nURL: nar/x.nar?hash=abc&y=1\n`
  assert.deepEqual(parse(text), {
    path,
    url: 'nar/x.nar?hash=abc&y=1',
    compression: 'bzip2',
    narHash: formatNixHash(hash),
    narSize: 0,
    references: [],
    signatures: [],
  })
})

const edit = (from: string | RegExp, to: string) => whole.replace(from, to)
const wrong: [name: string, text: string][] = [
  ['another path', edit('-hello-2.12\nURL', '-hello-2.13\nURL')],
  ['no StorePath', edit(/^StorePath.*\n/, '')],
  ['two StorePath lines', `${whole}StorePath: ${path}\n`],
  ['no URL', edit(/^URL.*\n/m, '')],
  ['no NarHash', edit(/^NarHash.*\n/m, '')],
  ['no NarSize', edit(/^NarSize.*\n/m, '')],
  ['two NarHash lines', `${whole}NarHash: sha256:${zeros}\n`],
  ['two CA lines', `${whole}CA: fixed:r:sha256:${zeros}\n`],
  ['CRLF', whole.replaceAll('\n', '\r\n')],
  ['a line of 1 MiB', `${whole}X: ${'x'.repeat(1024 * 1024)}\n`],
  ['one byte more than the limit', whole + padding(NARINFO_BYTES_MAX + 1 - whole.length)],
  ['no line feed at its end', whole.slice(0, -1)],
  ['an empty line', `${whole}\n`],
  ['a line without a colon', `${whole}word\n`],
  ['NUL', `${whole}X: \0\n`],
  ['a byte beyond ASCII', `${whole}X: \xe9\n`],
  ['nothing', ''],
  ['a hash of another algorithm', edit(/^NarHash: .*/m, `NarHash: sha1:${'0'.repeat(32)}`)],
  ['a hash that is cut', edit(/^NarHash: (.*)./m, 'NarHash: $1')],
  ['a negative size', edit('NarSize: 120', 'NarSize: -1')],
  ['a size of 2^53', edit('NarSize: 120', `NarSize: ${2 ** 53}`)],
  ['a size that is no number', edit('NarSize: 120', 'NarSize: 1e3')],
  ['a reference that climbs', edit('References: ', 'References: ../../etc ')],
  ['a full path as reference', edit('References: ', 'References: /nix/store/')],
  ['a reference twice', edit('References: ', `References: ${'0'.repeat(32)}-a `)],
  ['a malformed signature', edit(/^Sig: .*/m, 'Sig: x')],
  ['65 signatures', whole + `Sig: ${signatures[0]}\n`.repeat(63)],
  ['a malformed compression', edit('zstd\nFile', 'zstd -dc\nFile')],
]
const urls = [
  'https://other.example/x.nar',
  '//other.example/x.nar',
  'file:///etc/passwd',
  'file:x',
  '/x.nar',
  '../../x',
  'nar/../../x',
  'nar/./x',
  'nar//x',
  'nar/%2e%2e/x',
  'nar\\..\\x',
  'nar/',
  '',
  '.',
  '?x',
  'nar/x#y',
  'a b',
  'javascript:x',
  `nar/${'x'.repeat(1024)}`,
]
for (const url of urls) {
  wrong.push([`the URL ${JSON.stringify(url.slice(0, 40))}`, edit(/^URL: .*/m, `URL: ${url}`)])
}
for (const [name, text] of wrong) {
  test(`N12 refuses ${name}`, () => {
    assert.throws(() => parse(text), { code: 'narinfo' })
  })
}

test('takes a narinfo as large as the limit', () => {
  assert.ok(parse(whole + padding(NARINFO_BYTES_MAX - whole.length)))
})

test('refuses every truncation but those that end a line and keep what must be there', () => {
  const required = whole.indexOf('References')
  for (let length = 0; length < whole.length; length++) {
    const text = whole.slice(0, length)
    if (text.endsWith('\n') && length >= required) assert.ok(parse(text))
    else assert.throws(() => parse(text), { code: 'narinfo' }, text)
  }
})

test('signs as nix store sign does, and reads and writes what nix copy wrote', t => {
  const directory = temporaryDirectory(t)
  const nix = nixOracle(directory)
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  const key = file('key', generateNixKey('oracle-1'))
  const plain = nix.store('--add', file('plain', 'plain'))
  const expression = `builtins.toFile "user" "uses \${builtins.storePath ${plain}}"`
  const user = JSON.parse(nix.nix('eval', '--impure', '--json', '--expr', expression)) as string
  nix.nix('store', 'sign', '-k', key, user, plain)
  nix.nix('copy', '--to', `file://${directory}/cache?compression=zstd&secret-key=${key}`, user)

  const signer = parseNixSecretKey(readFileSync(key, 'utf8'))
  const trust = [parseNixPublicKey(signer.publicKey)]
  for (const [path, references] of [
    [plain, []],
    [user, [plain]],
  ] as [string, string[]][]) {
    const info: PathInfo = { path, references, ...narDigest(join(nix.root, path)) }
    const ours = signWithNixKey(signer, fingerprint(info))
    assert.ok(nix.nix('path-info', '--sigs', path).split(/\s+/).includes(ours))
    const bytes = readFileSync(join(directory, 'cache', `${path.slice(11, 43)}.narinfo`))
    const narinfo = parseNarinfo(bytes, path)
    assert.deepEqual(formatNarinfo(narinfo), bytes)
    assert.deepEqual(narinfo.signatures, [ours])
    assert.ok(verifyNixSignature(trust, fingerprint(narinfo), ours))
  }
  assert.equal(readdirSync(join(directory, 'cache', 'nar')).length, 2)
})

test('N13 a signature is for one path, hash, size and set of references', () => {
  const info = parse(whole)
  const trust = [parseNixPublicKey(secret.publicKey)]
  const signature = signWithNixKey(secret, fingerprint(info))
  assert.ok(verifyNixSignature(trust, fingerprint(info), signature))
  const others: PathInfo[] = [
    { ...info, path: path.replace('hello', 'hallo') },
    { ...info, narHash: `sha256:1${zeros.slice(1)}` },
    { ...info, narSize: 121 },
    { ...info, references: [path] },
  ]
  for (const other of others) {
    assert.equal(verifyNixSignature(trust, fingerprint(other), signature), false)
  }
})

/** One unknown field of `length` bytes in all. */
function padding(length: number): string {
  return `X: ${'x'.repeat(length - 4)}\n`
}
