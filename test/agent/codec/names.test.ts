import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isChannelName, isFleetName, isHostName } from '../../../agent/codec/names.ts'

test('fleets and channels can be directories of their own', () => {
  for (const name of ['a', 'prod', 'eu-west.1', '_x', 'A'.repeat(64)]) {
    assert.ok(isFleetName(name) && isChannelName(name), name)
  }
  const wrong = ['', '.', '..', '.git', '-x', 'a/b', 'a b', 'a\n', 'é', 'a'.repeat(65)]
  for (const name of wrong) assert.ok(!isFleetName(name) && !isChannelName(name), name)
  assert.equal(isChannelName('root'), false, 'the roots lie there')
})

test('hosts are named as RFC 1123 has it, in lower case', () => {
  const label = 'a'.repeat(63)
  const longest = [label, label, label, 'a'.repeat(61)].join('.')
  for (const name of ['a', '1', 'web-1', 'web.example', label, longest]) {
    assert.ok(isHostName(name), name)
  }
  const wrong = ['', '.', 'a.', '.a', 'a..b', '-a', 'a-', 'a.-b', 'a-.b', 'A', 'a_b', 'a b', 'é']
  for (const name of [...wrong, `${label}a`, `${longest}a`, 'a\n', '__proto__', '../a']) {
    assert.equal(isHostName(name), false, name)
  }
})
