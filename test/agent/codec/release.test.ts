import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeRelease, encodeRelease } from '../../../agent/codec/release.ts'
import { rawRelease, releaseOf, target } from '../../support/fleet.ts'

test('reads back what it writes, to the same bytes, in whatever order hosts are given', () => {
  const hosts = new Map(['c', 'a', 'b.example', '10'].map(name => [name, target]))
  const release = releaseOf({ hosts })
  const bytes = encodeRelease(release)
  const back = decodeRelease(bytes)
  assert.deepEqual(new Set(back.hosts.keys()), new Set(hosts.keys()))
  assert.deepEqual(encodeRelease(back), bytes)
  const reversed = new Map([...hosts].reverse())
  assert.deepEqual(encodeRelease(releaseOf({ hosts: reversed })), bytes)
})

test('refuses a release with a wrong field, by its code', () => {
  const wrong: [changes: Record<string, unknown>, code: string][] = [
    [{ type: 'holdfast-root-1' }, 'schema'],
    [{ fleet: 'a b' }, 'schema'],
    [{ channel: '../prod' }, 'schema'],
    [{ channel: 'root' }, 'schema'],
    [{ issued: 'today' }, 'schema'],
    [{ issued: '2026-05-31T00:00:00Z', expires: '2026-05-31T00:00:00Z' }, 'schema'],
    [{ caches: 'https://cache.example' }, 'schema'],
    [{ caches: ['ssh://cache.example'] }, 'schema'],
    [{ caches: ['file://host/cache'] }, 'schema'],
    [{ caches: ['/cache'] }, 'schema'],
    [{ caches: Array(17).fill('https://cache.example') }, 'schema'],
    [{ hosts: [] }, 'schema'],
    [{ hosts: { web: null } }, 'schema'],
    [{ hosts: { 'a b': target } }, 'no-target'],
    [{ hosts: { '': target } }, 'no-target'],
    [{ hosts: { 'web.': target } }, 'no-target'],
    [{ requires: ['x'] }, 'requires'],
  ]
  for (const [changes, code] of wrong) {
    const bytes = rawRelease(changes)
    assert.throws(() => decodeRelease(bytes), { kind: 'rejected', code }, JSON.stringify(changes))
  }
  assert.deepEqual(decodeRelease(rawRelease({})), releaseOf(), 'the control')
  const caches = ['file:///srv/cache', 'http://cache.example:8080/x']
  assert.deepEqual(decodeRelease(rawRelease({ caches })).caches, caches)
})

test('H28 refuses a release whose JSON is not strict', () => {
  const text = encodeRelease(releaseOf()).toString()
  const twice = text.replace('"hosts": {', `"hosts": {"web": ${JSON.stringify(target)},`)
  assert.throws(() => decodeRelease(Buffer.from(twice)), {
    code: 'json',
    message: /"web" is there twice/,
  })
  assert.throws(() => decodeRelease(Buffer.from(`\ufeff${text}`)), { code: 'json' })
  assert.throws(() => decodeRelease(Buffer.from(text.slice(0, -2))), { code: 'json' })
})
