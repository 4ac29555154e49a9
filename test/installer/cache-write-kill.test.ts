import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import type { PathInfo } from '../../agent/codec/documents.ts'
import { parseNarinfo } from '../../agent/codec/narinfo.ts'
import { formatNixHash } from '../../agent/codec/nix-hash.ts'
import { addToStore } from '../../agent/store/add-to-store.ts'
import { openStore } from '../../agent/store/open-store.ts'
import type { Store } from '../../agent/store/store.ts'
import { writeCache } from '../../installer/cache-write.ts'
import { temporaryDirectory } from '../support/temporary.ts'

/** More than the writer names at once, so that it is also killed between two batches. */
const paths = 40

test('a killed writer leaves nothing half done, and the next one goes on', async t => {
  const directory = temporaryDirectory(t)
  const { store, system } = manyPaths(t, directory)
  const cache = join(directory, 'cache')
  mkdirSync(cache)
  let named = 0
  for (const killedAfter of [1, 33, 38, 2]) {
    const missing = paths - named
    if (killedAfter > missing) continue
    await writeUntilKilled([store.root, cache, system, `${killedAfter}`])
    assert.deepEqual(readdirSync(join(cache, 'closures')), [])
    named = checkNarinfos(cache, store.closure(system))
  }
  const written = await writeCache({ store, systems: [system], directory: cache })
  assert.equal(written.newPaths, paths - named)
  assert.equal(checkNarinfos(cache, store.closure(system)), paths)
  assert.deepEqual(hidden(cache), [])
})

function manyPaths(t: TestContext, directory: string): { store: Store; system: string } {
  const store = openStore(join(directory, 'root'))
  t.after(() => store.close())
  const source = join(directory, 'source')
  const add = (text: string, references: string[]) => {
    writeFileSync(source, text)
    return addToStore({ store, source, name: 'part', references }).path
  }
  const parts = Array.from({ length: paths - 1 }, (_, index) => {
    return add(`${index} `.repeat(10_000 + index), [])
  })
  return { store, system: add(parts.join('\n'), parts) }
}

async function writeUntilKilled(words: string[]): Promise<void> {
  const program = new URL('./cache-write-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [program, ...words], { stdio: 'inherit' })
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
}

function hidden(cache: string): string[] {
  return readdirSync(cache).filter(name => name.startsWith('.'))
}

/** Checks what every narinfo says of its file, and returns how many there are. */
function checkNarinfos(cache: string, closure: PathInfo[]): number {
  const names = readdirSync(cache).filter(name => name.endsWith('.narinfo'))
  for (const name of names) {
    const info = closure.find(one => one.path.slice(11, 43) === name.slice(0, 32))
    assert.ok(info)
    const narinfo = parseNarinfo(readFileSync(join(cache, name)), info.path)
    const file = readFileSync(join(cache, narinfo.url))
    assert.equal(narinfo.fileHash, sha256(file))
    assert.equal(info.narHash, sha256(zstdDecompressSync(file)))
  }
  return names.length
}

function sha256(bytes: Buffer): string {
  return formatNixHash(createHash('sha256').update(bytes).digest())
}
