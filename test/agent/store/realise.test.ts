import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PathInfo } from '../../../agent/codec/documents.ts'
import { openStore } from '../../../agent/store/open-store.ts'
import { type RealiseProgress, type RealiseRequest, realise } from '../../../agent/store/realise.ts'
import { makeClosure, nixCache } from '../../support/closures.ts'
import { startFileServer } from '../../support/file-server.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const signal = new AbortController().signal

function nix(root: string, ...words: string[]): string {
  needs('nix-store')
  return execFileSync('nix-store', ['--store', `local?root=${root}`, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim()
}

async function realiseInto(
  root: string,
  request: Omit<RealiseRequest, 'store' | 'signal'>,
): Promise<PathInfo[]> {
  const store = openStore(root)
  try {
    const { paths } = request.closure
    const realised = await realise({ store, signal, ...request })
    assert.equal(realised.fetchedPaths, paths.length)
    assert.ok(realised.fetchedBytes > 0)
    return store.closure(request.closure.system)
  } finally {
    store.close()
  }
}

for (const compression of ['zstd', 'xz', 'none']) {
  test(`realises what nix copy wrote with ${compression}, over HTTP and from files`, async t => {
    const from = makeClosure(t)
    const directory = nixCache(t, from, compression)
    const server = await startFileServer({ directory })
    t.after(server.close)
    for (const url of [server.url, `file://${directory}`]) {
      const root = temporaryDirectory(t)
      const infos = await realiseInto(root, { closure: from.closure, caches: [url] })
      assert.deepEqual(
        infos.map(info => info.path).sort(),
        from.closure.paths.map(info => info.path),
      )
      assertWhole(root, from.closure.paths)
    }
  })
}

test('fetches only what is missing, and nothing the second time', async t => {
  const from = makeClosure(t)
  const directory = nixCache(t, from, 'zstd')
  const server = await startFileServer({ directory })
  t.after(server.close)
  const store = openStore(temporaryDirectory(t))
  const base = from.closure.paths.find(info => info.references.length === 0)!
  const request = { store, caches: [server.url], signal }
  await realise({ ...request, closure: { system: base.path, paths: [base] } })
  const before = server.requests.length
  assert.equal((await realise({ ...request, closure: from.closure })).fetchedPaths, 3)
  assert.equal(server.requests.length - before, 6)
  assert.ok(!server.requests.slice(before).some(line => line.includes(base.path.slice(11, 43))))
  assert.deepEqual(await realise({ ...request, closure: from.closure }), {
    fetchedPaths: 0,
    fetchedBytes: 0,
  })
  assert.equal(server.requests.length - before, 6)
  store.close()
})

test('says how far it is', async t => {
  const from = makeClosure(t)
  const seen: RealiseProgress[] = []
  await realiseInto(temporaryDirectory(t), {
    closure: from.closure,
    caches: [`file://${nixCache(t, from, 'none')}`],
    onProgress: progress => seen.push(progress),
  })
  const bytes = from.closure.paths.reduce((sum, info) => sum + info.narSize, 0)
  assert.deepEqual(seen.at(-1), { paths: 4, pathsTotal: 4, bytes, bytesTotal: bytes })
  for (const [index, progress] of seen.entries()) {
    assert.ok(index === 0 || progress.bytes >= seen[index - 1]!.bytes)
  }
})

/** Real Nix finds every path valid and unchanged, and nothing of ours is left beside them. */
function assertWhole(root: string, paths: PathInfo[]): void {
  nix(root, '--verify', '--check-contents')
  const top = paths.map(info => info.path)
  assert.deepEqual(
    nix(root, '-q', '--requisites', ...top)
      .split('\n')
      .sort(),
    top,
  )
  for (const info of paths) {
    assert.equal(nix(root, '-q', '--hash', info.path), info.narHash)
    const references = nix(root, '-q', '--references', info.path)
    assert.deepEqual(references === '' ? [] : references.split('\n').sort(), info.references)
  }
  const names = readdirSync(join(root, 'nix/store')).filter(name => name !== '.links')
  assert.deepEqual(
    names.filter(name => name.startsWith('.')),
    ['.holdfast-staging'],
  )
  assert.deepEqual(readdirSync(join(root, 'nix/store/.holdfast-staging')), [])
}
