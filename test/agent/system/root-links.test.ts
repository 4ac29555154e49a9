import assert from 'node:assert/strict'
import { mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { linkRoot } from '../../../agent/system/root-links.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { readTree, writeTree } from '../../support/trees.ts'

function root(t: TestContext) {
  const prefix = temporaryDirectory(t)
  const rootfs = (letter: string) => `/nix/store/${letter.repeat(32)}-rootfs`
  writeTree(prefix, {
    [`${rootfs('a').slice(1)}/usr/bin/tool`]: 'a',
    [`${rootfs('a').slice(1)}/usr/lib64/ld`]: '',
    [`${rootfs('b').slice(1)}/usr/bin/tool`]: 'b',
  })
  return { prefix, link: (letter: string) => linkRoot({ prefix, rootfs: rootfs(letter) }) }
}

test('links usr into the store and the names beside it into usr', t => {
  const { prefix, link } = root(t)
  assert.equal(link('a'), true)
  assert.deepEqual(readTree(prefix, /^nix$/), {
    bin: '-> usr/bin',
    lib64: '-> usr/lib64',
    usr: `-> nix/store/${'a'.repeat(32)}-rootfs/usr`,
  })
  assert.equal(link('a'), false)
})

test('moves to another root file system, over links that somebody else made', t => {
  const { prefix, link } = root(t)
  symlinkSync('/usr/bin', join(prefix, 'bin'))
  mkdirSync(join(prefix, 'usr')) // Such as a container manager makes.
  link('a')
  assert.equal(link('b'), true)
  assert.equal(readlinkSync(join(prefix, 'usr')), `nix/store/${'b'.repeat(32)}-rootfs/usr`)
  assert.equal(readlinkSync(join(prefix, 'bin')), 'usr/bin')
})

test('refuses to move a directory with files of its own out of the way', t => {
  const { prefix, link } = root(t)
  mkdirSync(join(prefix, 'usr/local'), { recursive: true })
  writeFileSync(join(prefix, 'usr/local/mine'), 'mine')
  assert.throws(() => link('a'), { code: 'root-link' })
  assert.deepEqual(readTree(prefix, /^nix$/), { 'usr/local/mine': 'mine' })
})
