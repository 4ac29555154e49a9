import assert from 'node:assert/strict'
import { test } from 'node:test'
import { initialState, type State } from '../../../agent/core/state.ts'
import { decodeState, encodeState } from '../../../agent/core/state-codec.ts'
import { limits, reality, release, Teller } from './world.ts'

test('a state re-encodes to the same bytes', () => {
  const teller = new Teller()
  teller.tell({ kind: 'started', reality: reality(), limits })
  teller.tell({ kind: 'found', candidate: release(1) })
  for (const state of [initialState(), teller.state]) {
    const bytes = encodeState(state)
    assert.deepEqual(encodeState(decodeState(bytes)), bytes)
  }
})

test('refuses what is cut off at every offset', () => {
  const bytes = encodeState(initialState())
  for (let length = 0; length < bytes.length - 1; length += 1) {
    assert.throws(() => decodeState(bytes.subarray(0, length)))
  }
})

const wrong: [name: string, fields: object][] = [
  ['another type', { type: 'holdfast-state-2' }],
  ['an unknown phase', { step: { phase: 'Flying' } }],
  ['a sequence that is no number', { sequence: '7' }],
  ['rejections that are no list', { rejected: {} }],
]
for (const [name, fields] of wrong) {
  test(`refuses ${name}`, () => {
    const state = JSON.parse(encodeState(initialState()).toString()) as State
    const bytes = Buffer.from(JSON.stringify({ ...state, ...fields }))
    assert.throws(() => decodeState(bytes), { code: 'corrupt-state' })
  })
}
