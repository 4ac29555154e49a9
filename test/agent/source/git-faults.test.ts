import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { GitSource } from '../../../agent/source/git.ts'
import { openSource } from '../../../agent/source/open-source.ts'
import { type GitServerOptions, startGitServer } from '../../support/git-server.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { git, makeRepository } from '../../support/tree-repository.ts'
import { found, poll, texts } from './contract.ts'

const release = { 'prod/release.json': '{"v":1}', 'prod/release.json.sig': 'sig 1' }

async function open(t: TestContext, options: Partial<GitServerOptions> = {}) {
  needs('git')
  const repository = makeRepository(temporaryDirectory(t))
  const server = await startGitServer({ directory: repository.directory, ...options })
  t.after(() => server.close())
  const scratch = join(repository.directory, 'scratch')
  const openAt = (url: string) => openSource({ git: url, branch: 'main' }, { scratch })
  const left = () => (existsSync(scratch) ? readdirSync(scratch) : [])
  const url = `${server.url}/fleet.git`
  const file = `file://${repository.bare}`
  return {
    ...repository,
    scratch,
    server,
    url,
    source: openAt(url),
    file: openAt(file),
    openAt,
    left,
  }
}

test('a poll with nothing new is one request of less than 1 KiB, both directions', async t => {
  const { source, server, commit } = await open(t)
  commit(release)
  const { tag } = found(await poll(source))
  const [before, requests] = [server.bytes(), server.requests.length]
  assert.deepEqual(await poll(source, { seen: tag }), { kind: 'unchanged', tag })
  const after = server.bytes()
  assert.deepEqual(server.requests.slice(requests), ['POST /fleet.git/git-upload-pack'])
  assert.ok(after.sent + after.received - before.sent - before.received < 1024)
})

test('does not take a branch for another whose name begins the same', async t => {
  const { source, bare, commit } = await open(t)
  const id = commit(release)
  commit({ 'prod/release.json': 'newer' })
  git(bare, 'update-ref', 'refs/heads/main-2', id)
  assert.deepEqual(texts(found(await poll(source)).release), ['newer', 'sig 1'])
})

test('asks a server without protocol 2 for its references', async t => {
  let refused = 0
  const { source, server, commit } = await open(t, {
    intercept: (request, response) => {
      if (request.headers['git-protocol'] === undefined) return false
      refused += 1
      response.writeHead(400).end()
      return true
    },
  })
  commit(release)
  const { tag } = found(await poll(source))
  await poll(source, { seen: tag })
  assert.equal(refused, 1)
  assert.match(server.requests.at(-1) ?? '', /^GET .*info\/refs\?service=git-upload-pack$/)
})

test('F10: names a branch that is not there or was deleted, and an empty repository', async t => {
  const { source, file, bare, commit } = await open(t)
  for (const each of [source, file]) {
    await assert.rejects(poll(each), { code: 'no-branch', kind: 'transient' })
  }
  commit(release)
  found(await poll(source))
  git(bare, 'update-ref', '-d', 'refs/heads/main')
  for (const each of [source, file]) await assert.rejects(poll(each), { code: 'no-branch' })
  commit(release)
  for (const each of [source, file]) found(await poll(each))
})

test('F10: a reference to a missing object is an error, and the next poll is clean', async t => {
  const { source, file, bare, commit, left } = await open(t)
  const id = commit(release)
  const object = join(bare, 'objects', id.slice(0, 2), id.slice(2))
  renameSync(object, `${object}.away`)
  for (const each of [source, file]) {
    await assert.rejects(poll(each), { kind: 'transient' })
  }
  assert.deepEqual(left(), [])
  renameSync(`${object}.away`, object)
  for (const each of [source, file]) found(await poll(each))
})

test('F10: refuses links and submodules in the place of a document only', async t => {
  const { source, file, work, bare, commit, left } = await open(t)
  symlinkSync('/etc/passwd', join(work, 'elsewhere'))
  const id = commit(release)
  git(work, 'update-index', '--add', '--cacheinfo', `160000,${id},submodule`)
  found(await poll(source))
  found(await poll(file))
  for (const mode of ['120000', '160000']) {
    git(work, 'update-index', '--add', '--cacheinfo', `${mode},${id},prod/release.json`)
    const tree = git(work, 'write-tree', '--missing-ok')
    const odd = git(work, 'commit-tree', '-m', 'odd', tree)
    git(work, 'update-ref', 'refs/heads/odd', odd)
    if (mode === '120000') continue // The blob of a link has to be a blob, below.
    git(work, 'push', '--quiet', '--force', bare, 'odd:main')
    for (const each of [source, file]) {
      await assert.rejects(poll(each), { code: 'source-tree', kind: 'rejected' })
    }
  }
  git(work, 'reset', '--quiet', '--hard', id)
  rmSync(join(work, 'prod/release.json'))
  symlinkSync('/etc/passwd', join(work, 'prod/release.json'))
  commit({})
  for (const each of [source, file]) {
    await assert.rejects(poll(each), { code: 'source-tree', message: /symbolic link/ })
  }
  assert.deepEqual(left(), [])
})

test('F10: refuses a pack over the cap, and does not fetch the same commit again', async t => {
  const { url, bare, server, scratch, commit, left } = await open(t)
  const limits = { packBytesMax: 100_000, memoryBytesMax: 320 * 1024 * 1024 }
  const source = new GitSource({ url, branch: 'main', scratch, limits })
  const file = new GitSource({ url: bare, branch: 'main', scratch, limits })
  commit({ ...release, noise: randomBytes(40_000).toString('hex') })
  found(await poll(source))
  found(await poll(file))
  commit({ ...release, noise: randomBytes(1_000_000).toString('hex') })
  await assert.rejects(poll(source), { code: 'oversized', kind: 'rejected' })
  const { sent } = server.bytes()
  await assert.rejects(poll(source), { code: 'oversized' })
  assert.ok(server.bytes().sent - sent < 4096)
  await assert.rejects(poll(file), { code: 'oversized', kind: 'rejected' })
  assert.deepEqual(left(), [])
})

test('F10: a small pack that unpacks to much is ended by its memory', async t => {
  const { url, scratch, commit, left } = await open(t)
  const limits = { packBytesMax: 1024 * 1024, memoryBytesMax: 150 * 1024 * 1024 }
  const source = new GitSource({ url, branch: 'main', scratch, limits })
  commit(release)
  found(await poll(source))
  commit({ ...release, bomb: '0'.repeat(128 * 1024 * 1024) })
  await assert.rejects(poll(source), { code: 'oversized', kind: 'rejected', message: /memory/ })
  assert.deepEqual(left(), [])
})

/** Where the last packet of band 1 ends, which carries the pack; band 2 is for messages. */
function packEnd(body: Buffer): number {
  let end = 0
  for (let at = 0; at < body.length; ) {
    const length = Number.parseInt(body.toString('latin1', at, at + 4), 16)
    if (length > 4 && body[at + 4] === 1) end = at + length
    at += Math.max(4, length)
  }
  return end
}

test('F11: a pack cut, flipped or of a wrong trailer is an error, the next clean', async t => {
  let fault: ((body: Buffer) => Buffer) | undefined
  const { source, commit, left } = await open(t, {
    mangle: body => (fault && body.includes('PACK') ? fault(Buffer.from(body)) : body),
  })
  commit(release)
  const at = (body: Buffer) => body.indexOf('PACK')
  const faults: Record<string, (body: Buffer) => Buffer> = {
    cut: body => body.subarray(0, at(body) + 60),
    flipped: body => {
      body[at(body) + 40]! ^= 0x10
      return body
    },
    'wrong trailer': body => {
      body[packEnd(body) - 1]! ^= 0x01
      return body
    },
    empty: () => Buffer.alloc(0),
  }
  for (const [name, change] of Object.entries(faults)) {
    fault = change
    await assert.rejects(poll(source), { kind: 'transient' }, name)
    assert.deepEqual(left(), [], name)
  }
  fault = undefined
  assert.deepEqual(texts(found(await poll(source)).release), ['{"v":1}', 'sig 1'])
})

test('F12: follows a branch forwards, backwards and to another history', async t => {
  const { source, bare, commit } = await open(t)
  const a = commit(release)
  const b = commit({ 'prod/release.json': 'b' })
  for (const id of [a, b, a]) {
    git(bare, 'update-ref', 'refs/heads/main', id)
    assert.equal(found(await poll(source)).tag, id)
  }
})

test('sends the credentials of its address, and shows them nowhere', async t => {
  const credentials = { user: 'host', password: 's3cr3t' }
  const { url, openAt, commit, server } = await open(t, { credentials })
  commit(release)
  const source = openAt(url.replace('://', '://host:s3cr3t@'))
  found(await poll(source))
  const wrong = openAt(url.replace('://', '://host:wr0ng@'))
  const error = await poll(wrong).catch((error: Error) => error)
  await server.close()
  const gone = await poll(source).catch((error: Error) => error)
  for (const each of [error, gone]) {
    assert.ok(each instanceof Error)
    const shown = `${source.name} ${wrong.name} ${each.stack} ${JSON.stringify(each)}`
    assert.doesNotMatch(shown, /s3cr3t|wr0ng/)
  }
  assert.match(String(error), /credentials are missing or wrong/)
})

test('refuses addresses and branches that git would take for something else', () => {
  const scratch = '/nonexistent'
  for (const url of [
    '--upload-pack=x',
    'ext::sh -c x',
    'ftp://x/y',
    '',
    'relative/path',
    'http:',
  ]) {
    assert.throws(
      () => openSource({ git: url, branch: 'main' }, { scratch }),
      { code: 'config' },
      url,
    )
  }
  for (const branch of ['', '-x', 'a..b', 'a b', 'a*', 'x.lock', 'a//b', '@{u}', 'a/']) {
    const config = { git: 'http://x/y', branch }
    assert.throws(() => openSource(config, { scratch }), { code: 'config' }, branch)
  }
})
