import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { NAR_DEPTH_MAX, NarParser } from '../../../agent/codec/nar-read.ts'
import { narOf } from '../../../agent/codec/nar-write.ts'
import { addToStore } from '../../../agent/store/add-to-store.ts'
import { openStore } from '../../../agent/store/open-store.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

function nix(root: string, ...words: string[]): string {
  needs('nix-store')
  return execFileSync('nix-store', ['--store', `local?root=${root}`, ...words], {
    encoding: 'utf8',
  }).trim()
}

function makeTree(directory: string): string {
  const top = join(directory, 'tree')
  mkdirSync(join(top, 'bin/deep'), { recursive: true })
  writeFileSync(join(top, 'bin/tool'), '#!/bin/sh\n')
  chmodSync(join(top, 'bin/tool'), 0o4755)
  writeFileSync(join(top, 'text'), 'x'.repeat(100_000), { mode: 0o600 })
  linkSync(join(top, 'text'), join(top, 'hard'))
  symlinkSync('/nowhere', join(top, 'link'))
  writeFileSync(Buffer.from(`${top}/\xff`, 'latin1'), '')
  return top
}

test('adds a tree under the path that Nix gives it, and Nix finds nothing wrong', t => {
  const root = temporaryDirectory(t)
  const source = makeTree(temporaryDirectory(t))
  const store = openStore(root)
  const info = addToStore({ store, source, name: 'tree', references: [] })
  assert.equal(info.path, nix(temporaryDirectory(t), '--add', source))
  assert.deepEqual(addToStore({ store, source, name: 'tree', references: [] }), info)
  const top = addToStore({ store, source, name: 'top', references: [info.path, info.path] })
  assert.deepEqual(store.query(top.path), top)
  store.close()
  nix(root, '--verify', '--check-contents')
  assert.equal(nix(root, '-q', '--references', top.path), info.path)
  assert.equal(nix(root, '-q', '--hash', top.path), top.narHash)
  assert.deepEqual(readdirSync(join(root, 'nix/store/.holdfast-staging/add')), [])
})

test('keeps trees as Nix does: no write bit, no time, no setuid', t => {
  const store = openStore(temporaryDirectory(t))
  const source = makeTree(temporaryDirectory(t))
  const path = store.physical(addToStore({ store, source, name: 'tree', references: [] }).path)
  const modes = { '.': 0o555, 'bin/tool': 0o555, text: 0o444, hard: 0o444 }
  for (const [name, mode] of Object.entries(modes)) {
    const stat = lstatSync(join(path, name))
    assert.equal(stat.mode & 0o7777, mode, name)
    assert.equal(stat.mtimeMs, 1000, name)
  }
  assert.equal(lstatSync(join(path, 'link')).mtimeMs, 1000)
  store.close()
})

test('replaces what lies unregistered in its place', t => {
  const store = openStore(temporaryDirectory(t))
  const source = makeTree(temporaryDirectory(t))
  const other = openStore(temporaryDirectory(t))
  const { path } = addToStore({ store: other, source, name: 'tree', references: [] })
  other.close()
  mkdirSync(join(store.physical(path), 'junk'), { recursive: true })
  utimesSync(store.physical(path), 5, 5)
  addToStore({ store, source, name: 'tree', references: [] })
  assert.ok(!readdirSync(store.physical(path)).includes('junk'))
  store.close()
  nix(store.root, '--verify', '--check-contents')
})

test('refuses pipes, sockets and devices by name, and leaves nothing', async t => {
  const store = openStore(temporaryDirectory(t))
  const source = temporaryDirectory(t)
  const socket = join(source, 'socket')
  const server = createServer()
  await new Promise<void>(resolve => server.listen(socket, resolve))
  const add = () => addToStore({ store, source, name: 'tree', references: [] })
  assert.throws(add, { code: 'unpackable', message: /socket" .*|: it is a socket/ })
  await new Promise(resolve => server.close(resolve))
  execFileSync('mkfifo', [join(source, 'pipe')])
  assert.throws(add, { code: 'unpackable', message: /pipe": it is a pipe/ })
  assert.deepEqual(readdirSync(join(store.root, 'nix/store/.holdfast-staging/add')), [])
  assert.deepEqual(store.paths(), [])
  store.close()
})

test('refuses directories deeper than hosts unpack, and takes the deepest that they do', t => {
  const store = openStore(temporaryDirectory(t))
  const source = temporaryDirectory(t)
  const add = () => addToStore({ store, source, name: 'tree', references: [] })
  const deepest = join(source, ...Array<string>(NAR_DEPTH_MAX - 1).fill('d'))
  mkdirSync(deepest, { recursive: true })
  const { path, narSize } = add()
  const sink = { directory() {}, end() {}, file() {}, chunk() {}, symlink() {} }
  const parser = new NarParser(sink, { narSize })
  for (const chunk of narOf(store.physical(path))) parser.push(chunk)
  parser.end()
  mkdirSync(join(deepest, 'd'))
  assert.throws(add, { code: 'unpackable', message: /64 directories deep/ })
  store.close()
})

test('refuses a reference that is not valid', t => {
  const store = openStore(temporaryDirectory(t))
  const references = [`/nix/store/${'0'.repeat(32)}-absent`]
  const source = makeTree(temporaryDirectory(t))
  assert.throws(() => addToStore({ store, source, name: 'tree', references }), {
    code: 'missing-path',
  })
  store.close()
})
