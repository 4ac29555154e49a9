import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeRoot, encodeRoot } from '../../../agent/codec/root.ts'
import { rootKey, rootOf, signer } from '../../support/fleet.ts'

const raw = (changes: object) => {
  return Buffer.from(JSON.stringify({ ...JSON.parse(encodeRoot(rootOf()).toString()), ...changes }))
}
const roles = (changes: object) => ({ roles: { ...rootOf().roles, ...changes } })

test('reads back what it writes, to the same bytes', () => {
  const bytes = encodeRoot(rootOf())
  assert.deepEqual(decodeRoot(bytes), rootOf())
  assert.deepEqual(encodeRoot(decodeRoot(bytes)), bytes)
})

test('ignores what later versions add, unless it is required', () => {
  assert.deepEqual(decodeRoot(raw({ later: 1, requires: [] })), rootOf())
  assert.throws(() => decodeRoot(raw({ requires: ['later'] })), { code: 'requires' })
  assert.throws(() => decodeRoot(raw({ requires: 'later' })), { code: 'schema' })
})

test('refuses a root with a wrong field, by its code', () => {
  const wrong: [changes: object, code: string][] = [
    [{ type: 'holdfast-release-1' }, 'schema'],
    [{ fleet: '' }, 'schema'],
    [{ fleet: '../x' }, 'schema'],
    [{ version: 0 }, 'version'],
    [{ version: 1.5 }, 'version'],
    [{ epoch: -1 }, 'version'],
    [{ epoch: '1' }, 'version'],
    [{ expires: '2027-02-30T00:00:00Z' }, 'schema'],
    [{ expires: '2027-01-31' }, 'schema'],
    [{ expires: '2027-01-31T00:00:00+01:00' }, 'schema'],
    [{ expires: 1_800_000_000 }, 'schema'],
    [{ roles: undefined }, 'schema'],
    [roles({ operator: undefined }), 'schema'],
    [roles({ root: { threshold: 1, keys: [] } }), 'threshold'],
    [roles({ root: { threshold: 1, keys: ['ssh-rsa AAAA'] } }), 'key'],
    [roles({ root: { threshold: 1, keys: [7] } }), 'schema'],
    [roles({ root: { threshold: 1, keys: rootKey.line } }), 'schema'],
  ]
  for (const [changes, code] of wrong) {
    assert.throws(
      () => decodeRoot(raw(changes)),
      { kind: 'rejected', code },
      JSON.stringify(changes),
    )
  }
})

test('takes 32 keys in a role, and not 33', () => {
  const keys = Array.from({ length: 33 }, (_, index) => signer(index + 50).line)
  const role = (count: number) => roles({ root: { threshold: 1, keys: keys.slice(0, count) } })
  assert.equal(decodeRoot(raw(role(32))).roles.root.keys.length, 32)
  assert.throws(() => decodeRoot(raw(role(33))), { code: 'schema' })
})
