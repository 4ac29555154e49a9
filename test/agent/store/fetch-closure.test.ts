import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { encodeClosure } from '../../../agent/codec/closure.ts'
import { fetchClosure } from '../../../agent/store/fetch-closure.ts'
import { makeClosure } from '../../support/closures.ts'
import { startFileServer } from '../../support/file-server.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const { signal } = new AbortController()

function cacheWith(t: TestContext, digest: string, bytes: Buffer): string {
  const directory = temporaryDirectory(t)
  mkdirSync(join(directory, 'closures'))
  writeFileSync(join(directory, `closures/${digest}.json`), bytes)
  return directory
}

function manifest(t: TestContext) {
  const { closure } = makeClosure(t, ['base', 'top'])
  const bytes = encodeClosure(closure)
  return { closure, bytes, digest: createHash('sha256').update(bytes).digest('hex') }
}

test('fetches a manifest by its digest, over HTTP and from a directory', async t => {
  const { closure, bytes, digest } = manifest(t)
  const directory = cacheWith(t, digest, bytes)
  const server = await startFileServer({ directory })
  t.after(server.close)
  for (const url of [server.url, `${server.url}/`, `file://${directory}`]) {
    const fetched = await fetchClosure({ digest, size: bytes.length, caches: [url], signal })
    assert.deepEqual(fetched.closure, closure)
    assert.deepEqual(fetched.bytes, bytes)
  }
})

test('H21 passes over a mirror with other bytes, and refuses when there is no better', async t => {
  const { bytes, digest } = manifest(t)
  const size = bytes.length
  const good = `file://${cacheWith(t, digest, bytes)}`
  const changed = Buffer.from(bytes)
  changed[size - 5] = changed[size - 5]! ^ 1
  const cases: [Buffer, code: string][] = [
    [changed, 'closure-digest'],
    [bytes.subarray(0, -1), 'closure-digest'],
    [Buffer.concat([bytes, Buffer.from(' ')]), 'oversized'],
  ]
  for (const [wrong, code] of cases) {
    const bad = `file://${cacheWith(t, digest, wrong)}`
    await assert.rejects(fetchClosure({ digest, size, caches: [bad], signal }), {
      code,
      kind: 'transient',
    })
    assert.deepEqual(
      (await fetchClosure({ digest, size, caches: [bad, good], signal })).bytes,
      bytes,
    )
  }
})

test('H22 rejects the right bytes when they are no manifest', async t => {
  const bytes = Buffer.from('{"type":"holdfast-closure-1"}')
  const digest = createHash('sha256').update(bytes).digest('hex')
  const caches = [`file://${cacheWith(t, digest, bytes)}`]
  await assert.rejects(fetchClosure({ digest, size: bytes.length, caches, signal }), {
    kind: 'rejected',
  })
})
