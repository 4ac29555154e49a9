import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { initialState } from '../../../agent/core/state.ts'
import { encodeState } from '../../../agent/core/state-codec.ts'
import { writeDurably } from '../../../agent/files/durable.ts'
import { Journal } from '../../../agent/shell/journal.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

test('gives back the state that was written last', t => {
  const journal = new Journal(temporaryDirectory(t), writeDurably)
  assert.deepEqual(journal.read(), { damaged: false })
  journal.write(initialState(7))
  journal.write(initialState(8))
  const { state, damaged } = journal.read()
  assert.deepEqual([encodeState(state!), damaged], [encodeState(initialState(8)), false])
})

test('knows a journal that is cut at any offset or has a byte changed, and sets it aside', t => {
  const directory = temporaryDirectory(t)
  const path = join(directory, 'state.json')
  const journal = new Journal(directory, writeDurably)
  journal.write(initialState(7))
  const whole = readFileSync(path)
  const changed = [...whole.keys()].map(offset => {
    const bytes = Buffer.from(whole)
    bytes[offset]! ^= 1
    return bytes
  })
  const cut = [...whole.keys()].map(length => whole.subarray(0, length))
  for (const bytes of [...changed, ...cut]) {
    writeFileSync(path, bytes)
    assert.deepEqual(journal.read(), { damaged: true })
    assert.ok(existsSync(`${path}.damaged`) && !existsSync(path))
  }
})

test('writes on a full disk by giving up its reserve, and takes it back when there is room', t => {
  assert.equal(process.getuid?.(), 0, 'this test mounts a small disk: run it as root')
  const disk = join(temporaryDirectory(t), 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])
  const fill = () => {
    const full = { code: 'ENOSPC' }
    assert.throws(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(4 << 20)), full)
  }
  try {
    const journal = new Journal(disk, writeDurably)
    journal.write(initialState(1))
    fill()
    journal.write(initialState(2))
    assert.deepEqual([journal.read().damaged, existsSync(join(disk, 'reserve'))], [false, false])
    assert.deepEqual(encodeState(journal.read().state!), encodeState(initialState(2)))
    rmSync(join(disk, 'filler'))
    journal.write(initialState(3))
    assert.equal(existsSync(join(disk, 'reserve')), true)
    rmSync(join(disk, 'reserve')) // The control: without a reserve there is no room.
    fill()
    assert.throws(() => journal.write(initialState(4)), { code: 'ENOSPC' })
  } finally {
    execFileSync('umount', [disk])
  }
})
