import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Seed } from '../../../agent/codec/documents.ts'
import { decodeSeed, encodeSeed } from '../../../agent/codec/seed.ts'

const seed: Seed = {
  fleet: 'demo',
  host: 'web-1.example',
  channel: 'prod',
  root: { version: 1, sha256: 'ab'.repeat(32) },
  sources: [
    { git: 'https://git.example/fleet.git', branch: 'main' },
    { git: 'ssh://git@git.example/fleet.git', branch: 'release/2026' },
    { http: 'http://cache.example:8080/' },
    { directory: '/srv/fleet' },
  ],
  controller: { url: 'https://controller.example', token: 'join' },
}
const raw = (changes: object) => {
  return Buffer.from(JSON.stringify({ ...JSON.parse(encodeSeed(seed).toString()), ...changes }))
}

test('reads back what it writes', () => {
  assert.deepEqual(decodeSeed(encodeSeed(seed)), seed)
  const { controller: _, ...alone } = seed
  assert.deepEqual(decodeSeed(encodeSeed(alone)), alone)
})

test('refuses a field that is missing, mistyped or unknown, and names it', () => {
  const wrong: [changes: object, field: RegExp][] = [
    [{ type: 'holdfast-seed-2' }, /"type"/],
    [{ extra: 1 }, /"extra".*known are/],
    [{ fleet: 'a/b' }, /"fleet"/],
    [{ fleet: undefined }, /"fleet".*missing/],
    [{ host: 'WEB' }, /"host"/],
    [{ host: '-web' }, /"host"/],
    [{ host: `${'a'.repeat(64)}` }, /"host"/],
    [{ host: '__proto__' }, /"host"/],
    [{ channel: '..' }, /"channel"/],
    [{ channel: 'root' }, /"channel"/],
    [{ root: { version: 0, sha256: 'ab'.repeat(32) } }, /"version" in seed\.json, root/],
    [{ root: { version: 1, sha256: 'AB'.repeat(32) } }, /"sha256"/],
    [{ root: { version: 1, sha256: 'ab'.repeat(32), x: 1 } }, /"x"/],
    [{ sources: [] }, /"sources"/],
    [{ sources: Array(9).fill({ directory: '/a' }) }, /"sources"/],
    [{ sources: ['https://x'] }, /sources\[0\]/],
    [{ sources: [{ http: 'ftp://x' }] }, /"http"/],
    [{ sources: [{ http: 'https://x', branch: 'main' }] }, /"branch"/],
    [{ sources: [{ git: 'https://x' }] }, /"branch".*missing/],
    [{ sources: [{ directory: 'relative' }] }, /"directory"/],
    [{ controller: {} }, /"url"/],
    [{ controller: { url: 'file:///x' } }, /"url"/],
    [{ controller: { url: 'https://x', token: '' } }, /"token"/],
    [{ controller: null }, /"controller"/],
  ]
  assert.deepEqual(decodeSeed(raw({})), seed, 'the control')
  for (const [changes, message] of wrong) {
    const label = JSON.stringify(changes)
    assert.throws(
      () => decodeSeed(raw(changes)),
      { kind: 'rejected', code: 'schema', message },
      label,
    )
  }
})

test('refuses branches that git, a command line or a refspec would misread', () => {
  const names = [
    '',
    '-x',
    '--upload-pack=x',
    'a..b',
    'a b',
    'a:b',
    '+a~1',
    'a^',
    '/a',
    'a/',
    'a.lock',
  ]
  for (const branch of [...names, '.a', 'a/.b', 'a//b', 'a@{1}', 'a\nb', 'a*', 'a'.repeat(201)]) {
    const sources = [{ git: 'https://git.example/x', branch }]
    assert.throws(() => decodeSeed(raw({ sources })), { code: 'schema' }, branch)
  }
})

test('repeats no secret in a message', () => {
  const secret = 'hunter2'
  const wrong = [
    { sources: [{ http: `ftp://user:${secret}@cache.example/` }] },
    { sources: [{ git: `https://user:${secret}@git.example/ x`, branch: 'a b' }] },
    { sources: [{ git: `://user:${secret}@`, branch: 'main' }] },
    { controller: { url: `ftp://${secret}@x`, token: secret } },
    { controller: { url: 'https://x', token: `${secret}\n` } },
  ]
  for (const changes of wrong) {
    assert.throws(
      () => decodeSeed(raw(changes)),
      (error: Error) => !error.message.includes(secret),
    )
  }
})

test('refuses more than 64 KiB', () => {
  const padded = (bytes: number) => Buffer.concat([encodeSeed(seed), Buffer.alloc(bytes, ' ')])
  const room = 64 * 1024 - encodeSeed(seed).length
  assert.deepEqual(decodeSeed(padded(room)), seed)
  assert.throws(() => decodeSeed(padded(room + 1)), { code: 'json' })
})
