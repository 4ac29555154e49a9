import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  fixedOutputPath,
  flatOutputPath,
  isStoreName,
  isStorePath,
  parseStorePath,
  textPath,
} from '../../../agent/codec/store-path.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const hash = '0123456789abcdfghijklmnpqrsvwxyz'
const path = `/nix/store/${hash}-hello-2.12`

test('takes a store path apart', () => {
  assert.deepEqual(parseStorePath(path), { path, hash, name: 'hello-2.12' })
  for (const name of ['a', '.gitignore', '...', 'a+b-c.d_e?f=g', 'x'.repeat(211)]) {
    assert.equal(parseStorePath(`/nix/store/${hash}-${name}`).name, name)
    assert.ok(isStoreName(name))
  }
})

const wrong: [name: string, text: unknown][] = [
  ['a way out of the store', '/nix/store/../../etc'],
  ['a way out after a store path', `${path}/../../../etc`],
  ['a child of a store path', `${path}/bin`],
  ['a final slash', `${path}/`],
  ['the store itself', '/nix/store'],
  ['a relative path', path.slice(1)],
  ['another store', path.replace('/nix', '/gnu')],
  ['two slashes', path.replace('/store/', '/store//')],
  ['no name', `/nix/store/${hash}-`],
  ['no dash', `/nix/store/${hash}`],
  ['a name of 212 characters', `/nix/store/${hash}-${'x'.repeat(212)}`],
  ['an upper-case hash', `/nix/store/${hash.toUpperCase()}-hello`],
  ['a letter that base32 lacks', `/nix/store/${hash.replace('0', 'e')}-hello`],
  ['a short hash', `/nix/store/${hash.slice(1)}-hello`],
  ['the name .', `/nix/store/${hash}-.`],
  ['the name ..', `/nix/store/${hash}-..`],
  ['a name that begins with .-', `/nix/store/${hash}-.-x`],
  ['a name that begins with ..-', `/nix/store/${hash}-..-x`],
  ['a space', `${path} x`],
  ['a line feed at the end', `${path}\n`],
  ['NUL', `${path}\0`],
  ['a letter beyond ASCII', `${path}é`],
  ['nothing', ''],
  ['a number', 7],
  ['undefined', undefined],
]

for (const [name, text] of wrong) {
  test(`H20 refuses ${name}`, () => {
    assert.equal(isStorePath(text), false)
    assert.throws(() => parseStorePath(text), { code: 'store-path' })
  })
}

test('refuses to compute a path for a name that no store path can have', () => {
  const output = { sha256: Buffer.alloc(32), references: [], self: false }
  for (const name of ['', '..', 'a/b', 'x'.repeat(212)]) {
    assert.equal(isStoreName(name), false)
    assert.throws(() => fixedOutputPath({ ...output, name }), { code: 'store-path' })
  }
})

test('computes the paths that Nix computes for files and texts', t => {
  needs('nix', 'nix-store', 'nix-instantiate')
  const directory = temporaryDirectory(t)
  const store = ['--store', `local?root=${join(directory, 'root')}`]
  const run = (program: string, args: string[]) =>
    execFileSync(program, args, { encoding: 'utf8' }).trim()
  const file = join(directory, 'some-file')
  writeFileSync(file, 'content')

  const flat = run('nix-store', [...store, '--add-fixed', 'sha256', file])
  assert.equal(flatOutputPath('some-file', sha256('content')), flat)
  const nar = execFileSync('nix-store', ['--dump', file])
  const added = run('nix-store', [...store, '--add', file])
  const output = { name: 'some-file', sha256: sha256(nar), references: [], self: false }
  assert.equal(fixedOutputPath(output), added)
  const modern = ['--extra-experimental-features', 'nix-command', 'store', 'add-path', file]
  assert.equal(fixedOutputPath(output), run('nix', [...modern, ...store]))

  const expression = `let a = builtins.toFile "a" "x"; in builtins.toFile "b.txt" "to \${a}"`
  const text = run('nix-instantiate', [...store, '--eval', '-E', `toString (${expression})`])
  const first = textPath('a', sha256('x'), [])
  assert.equal(JSON.stringify(textPath('b.txt', sha256(`to ${first}`), [first])), text)
  const inner = `a = builtins.toFile "a" "x"; b = ${expression};`
  const both = `let ${inner} in builtins.toFile "c" "\${a}\${b}"`
  const second = JSON.parse(text) as string
  const third = run('nix-instantiate', [...store, '--eval', '-E', `toString (${both})`])
  for (const references of [
    [first, second],
    [second, first],
  ]) {
    assert.equal(JSON.stringify(textPath('c', sha256(first + second), references)), third)
  }
})

function sha256(bytes: string | Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}
