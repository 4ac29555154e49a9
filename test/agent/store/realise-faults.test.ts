import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { encodeClosure } from '../../../agent/codec/closure.ts'
import type { PathInfo } from '../../../agent/codec/documents.ts'
import { openStore } from '../../../agent/store/open-store.ts'
import { realise } from '../../../agent/store/realise.ts'
import { checkTree } from '../../../agent/store/tree-check.ts'
import { makeClosure, nixCache, type TestClosure } from '../../support/closures.ts'
import { type FileServerOptions, startFileServer } from '../../support/file-server.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { until } from '../../support/until.ts'

const { signal } = new AbortController()

type Fixture = { from: TestClosure; directory: string; root: string }

function fixture(t: TestContext, compression = 'zstd'): Fixture {
  const from = makeClosure(t)
  return { from, directory: nixCache(t, from, compression), root: temporaryDirectory(t) }
}

async function serve(t: TestContext, options: FileServerOptions): Promise<string> {
  const server = await startFileServer(options)
  t.after(server.close)
  return server.url
}

async function attempt({ from, root }: Fixture, caches: string[], more = {}): Promise<number> {
  const store = openStore(root)
  try {
    const { fetchedPaths } = await realise({
      store,
      closure: from.closure,
      caches,
      signal,
      ...more,
    })
    for (const info of from.closure.paths) assert.ok(checkTree(store.physical(info.path), info))
    assert.deepEqual(store.paths().length, from.closure.paths.length)
    return fetchedPaths
  } finally {
    store.close()
  }
}

/** Nothing is registered, nothing lies in the store, and staging holds no unfinished tree. */
function assertUntouched(root: string): void {
  const store = openStore(root)
  assert.deepEqual(store.paths(), [])
  store.close()
  assert.deepEqual(
    readdirSync(join(root, 'nix/store')).filter(name => name !== '.holdfast-staging'),
    [],
  )
  const unfinished = join(root, 'nix/store/.holdfast-staging/fetch/new')
  assert.deepEqual(existsSync(unfinished) ? readdirSync(unfinished) : [], [])
}

/** Every NAR of a copy of the cache becomes `change(nar file)`. */
function spoiled(t: TestContext, directory: string, change: (bytes: Buffer) => Buffer): string {
  const copy = join(temporaryDirectory(t), 'spoiled')
  cpSync(directory, copy, { recursive: true })
  for (const name of readdirSync(join(copy, 'nar'))) {
    const file = join(copy, 'nar', name)
    chmodSync(file, 0o644)
    writeFileSync(file, change(readFileSync(file)))
  }
  return `file://${copy}`
}

const repack = (change: (nar: Buffer) => Buffer) => (bytes: Buffer) =>
  zstdCompressSync(change(zstdDecompressSync(bytes)))
function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = copy[at]! ^ 1
  return copy
}

const spoilers: [name: string, change: (bytes: Buffer) => Buffer, code: string][] = [
  ['N10 one bit of a file', repack(nar => flip(nar, nar.indexOf('lorem'))), 'path-hash'],
  ['N10 one byte too many', repack(nar => Buffer.concat([nar, Buffer.alloc(1)])), 'nar'],
  ['N01 a cut archive', repack(nar => nar.subarray(0, -8)), 'nar'],
  ['N01 a cut file', bytes => bytes.subarray(0, bytes.length >> 1), 'nar'],
  ['N11 a bomb', () => zstdCompressSync(Buffer.alloc(64 * 1024 * 1024)), 'nar'],
  ['N11 compression inside compression', bytes => zstdCompressSync(bytes), 'nar'],
  ['N11 wrong magic', bytes => flip(bytes, 0), 'compression'],
  [
    'N11 bytes after the stream',
    bytes => Buffer.concat([bytes, Buffer.from('x'.repeat(99))]),
    'compression',
  ],
  ['F03 an endless body', bytes => Buffer.concat([bytes, skippable(4 * 1024 * 1024)]), 'oversized'],
]

/** A frame that decodes to nothing. */
function skippable(length: number): Buffer {
  const frame = Buffer.alloc(8 + length)
  frame.writeUInt32LE(0x184d2a50)
  frame.writeUInt32LE(length, 4)
  return frame
}

for (const [name, change, code] of spoilers) {
  test(`refuses ${name}, and keeps nothing`, async t => {
    const made = fixture(t)
    const bad = spoiled(t, made.directory, change)
    await assert.rejects(attempt(made, [bad]), { code, kind: 'transient' })
    assertUntouched(made.root)
    // F07: with a good mirror behind the bad one, all is well, and the bad one is not asked again.
    assert.equal(await attempt(made, [bad, `file://${made.directory}`]), 4)
  })
}

test('N12 takes only a relative URL below the cache from a narinfo', async t => {
  const made = fixture(t)
  for (const url of [
    'http://127.0.0.1:1/x.nar.zst',
    'file:///etc/passwd',
    '../../x',
    '/etc/passwd',
    'nar/..%2f..%2fx',
    '//host/x',
    '',
  ]) {
    const bad = join(temporaryDirectory(t), 'cache')
    cpSync(made.directory, bad, { recursive: true })
    for (const name of readdirSync(bad).filter(one => one.endsWith('.narinfo'))) {
      const text = readFileSync(join(bad, name), 'utf8')
      chmodSync(join(bad, name), 0o644)
      writeFileSync(join(bad, name), text.replace(/^URL: .*$/m, `URL: ${url}`))
    }
    await assert.rejects(attempt(made, [`file://${bad}`]), { code: 'narinfo' })
  }
  assertUntouched(made.root)
})

test('N12 heeds nothing else in a narinfo', async t => {
  const made = fixture(t)
  for (const name of readdirSync(made.directory).filter(one => one.endsWith('.narinfo'))) {
    const file = join(made.directory, name)
    const [url] = /^URL: .*$/m.exec(readFileSync(file, 'utf8')) ?? []
    chmodSync(file, 0o644)
    writeFileSync(file, `StorePath: /nix/store/other\n${url}\nCompression: zstd\nNarHash: junk\n`)
  }
  assert.equal(await attempt(made, [`file://${made.directory}`]), 4)
})

test('F04 resumes a body that is reset every 64 KiB', async t => {
  const made = fixture(t, 'none')
  let resets = 0
  const url = await serve(t, {
    directory: made.directory,
    intercept: (request, response) => {
      if (!request.url?.startsWith('/nar/')) return false
      const bytes = readFileSync(join(made.directory, request.url))
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      response.writeHead(from === 0 ? 200 : 206, {
        'content-length': bytes.length - from,
        etag: '"one"',
        ...(from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      })
      const end = Math.min(bytes.length, from + 64 * 1024)
      if (end === bytes.length) response.end(bytes.subarray(from))
      else response.write(bytes.subarray(from, end), () => setTimeout(() => response.destroy(), 5))
      if (end < bytes.length) resets++
      return true
    },
  })
  assert.equal(await attempt(made, [url]), 4)
  assert.ok(resets > 20, `${resets} resets`)
})

test('F06 never joins a whole body to a part that came before', async t => {
  const made = fixture(t, 'none')
  const broken = new Set<string>()
  const url = await serve(t, {
    directory: made.directory,
    intercept: (request, response) => {
      const name = request.url ?? ''
      if (!name.startsWith('/nar/')) return false
      delete request.headers.range
      const bytes = readFileSync(join(made.directory, name))
      response.writeHead(200, { 'content-length': bytes.length })
      if (broken.has(name)) response.end(bytes)
      else response.write(bytes.subarray(0, 1000), () => setTimeout(() => response.destroy(), 5))
      broken.add(name)
      return true
    },
  })
  assert.equal(await attempt(made, [url]), 4)
})

const redirects: [name: string, to: (count: number, url: string) => string, ok: boolean][] = [
  ['follows five', (count, url) => (count < 5 ? `${url}?${count + 1}` : ''), true],
  ['gives up after five', (count, url) => (count < 6 ? `${url}?${count + 1}` : ''), false],
  ['gives up on a loop', (_count, url) => url, false],
  ['takes no other scheme', () => 'file:///etc/passwd', false],
]
for (const [name, to, ok] of redirects) {
  test(`F05 redirects: ${name}`, async t => {
    const made = fixture(t)
    const url = await serve(t, {
      directory: made.directory,
      intercept: (request, response) => {
        const [path, query] = (request.url ?? '').split('?')
        const location = to(Number(query ?? 0), path ?? '')
        if (!path?.startsWith('/nar/') || location === '') return false
        response.writeHead(302, { location, 'content-length': 0 }).end()
        return true
      },
    })
    const good = `file://${made.directory}`
    if (ok) assert.equal(await attempt(made, [url]), 4)
    else assert.equal(await attempt(made, [url, good]), 4)
    if (!ok)
      await assert.rejects(
        attempt({ ...made, root: temporaryDirectory(t) }, [url], {
          signal: AbortSignal.timeout(300),
        }),
      )
  })
}

test('F01 goes to the next mirror after a 503, and waits as long as it is told', async t => {
  const made = fixture(t)
  let refusals = 0
  const url = await serve(t, {
    directory: made.directory,
    intercept: (_request, response) => {
      if (refusals++ >= 8) return false
      response.writeHead(503, { 'retry-after': '1', 'content-length': 0 }).end()
      return true
    },
  })
  assert.equal(await attempt(made, [url, `file://${made.directory}`]), 4)
  refusals = 0
  const before = Date.now()
  assert.equal(await attempt({ ...made, root: temporaryDirectory(t) }, [url]), 4)
  assert.ok(Date.now() - before >= 900)
})

test('F08 a mirror that nobody listens at is passed over', async t => {
  const made = fixture(t)
  assert.equal(await attempt(made, ['http://127.0.0.1:1', `file://${made.directory}`]), 4)
})

test('says which file no cache has', async t => {
  const made = fixture(t)
  const empty = temporaryDirectory(t)
  await assert.rejects(attempt(made, [`file://${empty}`, await serve(t, { directory: empty })]), {
    code: 'not-found',
    kind: 'transient',
  })
  await assert.rejects(attempt(made, []), { code: 'not-found' })
})

test('D03 refuses what does not fit before anything is fetched', async t => {
  const made = fixture(t)
  const requests: string[] = []
  const url = await serve(t, {
    directory: made.directory,
    intercept: request => void requests.push(request.url ?? '') === null,
  })
  await assert.rejects(attempt(made, [url], { reserveBytes: 2 ** 52 }), {
    code: 'no-space',
    kind: 'host',
  })
  assert.deepEqual(requests, [])
  assertUntouched(made.root)
})

test('keeps of what lies in the store unregistered only what is right', async t => {
  const made = fixture(t)
  const good = temporaryDirectory(t)
  await attempt({ ...made, root: good }, [`file://${made.directory}`])
  const [first, second, third] = made.from.closure.paths as [PathInfo, PathInfo, PathInfo]
  const target = (info: PathInfo) => join(made.root, info.path)
  mkdirSync(join(made.root, 'nix/store'), { recursive: true })
  renameSync(join(good, first.path), target(first))
  // Right in content, but somebody can write to it.
  renameSync(join(good, second.path), target(second))
  chmodSync(join(target(second), 'tool'), 0o755)
  mkdirSync(target(third))
  writeFileSync(join(target(third), 'planted'), '')
  const inode = lstatSync(target(first)).ino
  assert.equal(await attempt(made, [`file://${made.directory}`]), 3)
  assert.equal(lstatSync(target(first)).ino, inode)
})

test('goes on after SIGKILL at any moment, without fetching again what was whole', async t => {
  const made = fixture(t, 'none')
  writeFileSync(join(made.root, 'closure.json'), encodeClosure(made.from.closure))
  const stuck = basename(made.from.closure.system).slice(0, 32)
  const slow = await serve(t, {
    directory: made.directory,
    intercept: request => request.url === `/${stuck}.narinfo`,
  })
  const child = startProgram(made.root, slow)
  t.after(() => child.kill('SIGKILL'))
  const done = join(made.root, 'nix/store/.holdfast-staging/fetch/done')
  await until(() => existsSync(done) && readdirSync(done).length === 3)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const store = openStore(made.root)
  assert.deepEqual(store.paths(), [])
  store.close()
  // What a power cut may leave of a file that was never flushed.
  const [torn] = readdirSync(done)
  chmodSync(join(done, torn!, 'tool'), 0o644)
  writeFileSync(join(done, torn!, 'tool'), '')
  assert.equal(await attempt(made, [`file://${made.directory}`]), 2)
})

function startProgram(root: string, cache: string): ChildProcess {
  const program = join(import.meta.dirname, '../../support/realise-program.ts')
  return spawn(process.execPath, [program, root, join(root, 'closure.json'), cache], {
    stdio: 'ignore',
  })
}

test('stops at once when it is told to, and says so', async t => {
  const made = fixture(t)
  const url = await serve(t, { directory: made.directory, intercept: () => true })
  const controller = new AbortController()
  const running = attempt(made, [url], { signal: controller.signal })
  setTimeout(() => controller.abort(), 100)
  await assert.rejects(running, { name: 'AbortError' })
  assertUntouched(made.root)
})
