import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { narDigest } from '../../../agent/codec/nar-write.ts'
import { makeStaging, stagingDirectory } from '../../../agent/store/staging.ts'
import { checkTree } from '../../../agent/store/tree-check.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

test('staging is never in a place that somebody else made', t => {
  if (process.getuid?.() !== 0) return // Only root gives files away.
  const planters: ((top: string, elsewhere: string) => void)[] = [
    (top, elsewhere) => symlinkSync(elsewhere, top),
    top => mkdirSync(top) ?? chownSync(top, 1234, 1234),
    top => mkdirSync(top) ?? chmodSync(top, 0o777),
    top => writeFileSync(top, ''),
  ]
  for (const plant of planters) {
    const root = temporaryDirectory(t)
    const elsewhere = temporaryDirectory(t)
    mkdirSync(join(root, 'nix/store'), { recursive: true })
    plant(stagingDirectory(root), elsewhere)
    const staging = makeStaging(root, 'fetch')
    writeFileSync(join(staging, 'file'), '')
    const { uid, mode } = lstatSync(stagingDirectory(root))
    assert.deepEqual([uid, mode & 0o7777], [0, 0o700])
    assert.deepEqual(readdirSync(elsewhere), [])
  }
})

test('staging that is there already keeps what it holds', t => {
  const root = temporaryDirectory(t)
  writeFileSync(join(makeStaging(root, 'fetch'), 'file'), '')
  assert.deepEqual(readdirSync(makeStaging(root, 'fetch')), ['file'])
})

test('a tree that belongs to somebody else is not taken as it is', t => {
  if (process.getuid?.() !== 0) return // Only root gives files away.
  const tree = join(temporaryDirectory(t), 'tree')
  writeFileSync(tree, 'right', { mode: 0o444 })
  utimesSync(tree, 1, 1)
  const info = narDigest(tree)
  assert.equal(checkTree(tree, info), true)
  lchownSync(tree, 1234, 1234)
  assert.equal(checkTree(tree, info), false)
})
