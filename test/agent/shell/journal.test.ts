import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
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
