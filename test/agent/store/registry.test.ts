import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStore } from '../../../agent/store/open-store.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

test('D01: a full disk is called by its name when a store is opened', t => {
  if (process.getuid?.() !== 0) return // Only root mounts a small one.
  const root = temporaryDirectory(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', root])
  try {
    openStore(root).close()
    const { bavail, bsize } = statfsSync(root)
    writeFileSync(join(root, 'fill'), Buffer.alloc(bavail * bsize))
    assert.throws(() => openStore(root), { code: 'no-space', kind: 'host' })
  } finally {
    execFileSync('umount', ['--lazy', root])
  }
})

test('a registry that is no database is not said to be a full disk', t => {
  const root = temporaryDirectory(t)
  openStore(root).close()
  const file = join(root, 'nix/var/nix/db/db.sqlite')
  chmodSync(file, 0o644)
  writeFileSync(file, 'no database'.repeat(1000))
  assert.throws(() => openStore(root), { code: 'store-schema', kind: 'host' })
})
