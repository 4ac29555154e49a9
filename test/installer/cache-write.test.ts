import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { decodeClosure } from '../../agent/codec/closure.ts'
import { narDigest } from '../../agent/codec/nar-write.ts'
import { parseNarinfo } from '../../agent/codec/narinfo.ts'
import { formatNixHash } from '../../agent/codec/nix-hash.ts'
import { generateNixKey, type NixSecretKey, parseNixSecretKey } from '../../agent/codec/nix-key.ts'
import { addToStore } from '../../agent/store/add-to-store.ts'
import { openStore } from '../../agent/store/open-store.ts'
import type { Store } from '../../agent/store/store.ts'
import { writeCache } from '../../installer/cache-write.ts'
import { type NixOracle, nixOracle } from '../support/nix-oracle.ts'
import { temporaryDirectory } from '../support/temporary.ts'

type Setting = { directory: string; cache: string; store: Store; key: NixSecretKey }

/** A store of our own with a library, and an application that refers to it. */
function setting(t: TestContext): Setting & { library: string; application: string } {
  const directory = temporaryDirectory(t)
  const store = openStore(join(directory, 'root'))
  t.after(() => store.close())
  const source = join(directory, 'library')
  mkdirSync(join(source, 'lib'), { recursive: true })
  writeFileSync(join(source, 'lib', 'big'), Buffer.alloc(1_500_000, 'some text, '))
  symlinkSync('big', join(source, 'lib', 'link'))
  const library = addToStore({ store, source, name: 'library', references: [] }).path
  const program = join(directory, 'program')
  writeFileSync(program, `#!${library}/bin/sh\n`)
  chmodSync(program, 0o755)
  const application = addToStore({
    store,
    source: program,
    name: 'application',
    references: [library],
  }).path
  const key = parseNixSecretKey(generateNixKey('cache-1'))
  return { directory, cache: join(directory, 'cache'), store, key, library, application }
}

test('writes NARs, narinfos and the manifest of a closure', async t => {
  const { cache, store, library, application } = setting(t)
  const seen: string[] = []
  const onProgress = (progress: { path: string }) => seen.push(progress.path)
  const written = await writeCache({ store, systems: [application], directory: cache, onProgress })
  assert.equal(written.newPaths, 2)
  assert.deepEqual(seen.sort(), [library, application].sort())

  const [system] = written.systems
  const manifest = readFileSync(join(cache, 'closures', `${system?.closure}.json`))
  assert.equal(createHash('sha256').update(manifest).digest('hex'), system?.closure)
  assert.deepEqual(system, {
    system: application,
    closure: system?.closure,
    closureSize: manifest.length,
    paths: 2,
  })
  const closure = decodeClosure(manifest)
  assert.equal(closure.system, application)
  for (const info of closure.paths) {
    assert.deepEqual(info, store.query(info.path))
    const narinfo = readNarinfo(cache, info.path)
    const file = readFileSync(join(cache, narinfo.url))
    const nar = zstdDecompressSync(file)
    assert.equal(narinfo.fileHash, formatNixHash(createHash('sha256').update(file).digest()))
    assert.equal(narinfo.fileSize, file.length)
    assert.equal(narinfo.narHash, formatNixHash(createHash('sha256').update(nar).digest()))
    assert.equal(narinfo.narSize, nar.length)
  }
  assert.deepEqual(
    readdirSync(cache).filter(name => name.startsWith('.')),
    [],
  )
  assert.equal(statSync(join(cache, 'nix-cache-info')).mode & 0o777, 0o644)
})

test('leaves alone what is there, and signs it when a key is given later', async t => {
  const { cache, store, key, application } = setting(t)
  const request = { store, systems: [application, application], directory: cache }
  const first = await writeCache(request)
  const before = snapshot(cache)
  assert.deepEqual(await writeCache(request), {
    systems: first.systems,
    newPaths: 0,
    newNarBytes: 0,
    newFileBytes: 0,
  })
  assert.deepEqual(snapshot(cache), before)

  await writeCache({ ...request, signingKey: key })
  const signed = readNarinfo(cache, application)
  assert.equal(signed.signatures.length, 1)
  await writeCache({ ...request, signingKey: key })
  assert.deepEqual(readNarinfo(cache, application), signed)
})

const repairs: [name: string, damage: (cache: string, path: string) => void][] = [
  ['a narinfo that is gone', (cache, path) => rmSync(narinfoOf(cache, path))],
  ['a narinfo that is cut', (cache, path) => truncateSync(narinfoOf(cache, path), 100)],
  ['a NAR that is gone', (cache, path) => rmSync(join(cache, readNarinfo(cache, path).url))],
  [
    'a NAR that is cut',
    (cache, path) => truncateSync(join(cache, readNarinfo(cache, path).url), 9),
  ],
]
for (const [name, damage] of repairs) {
  test(`writes again ${name}`, async t => {
    const { cache, store, application } = setting(t)
    const request = { store, systems: [application], directory: cache }
    await writeCache(request)
    const before = snapshot(cache)
    damage(cache, application)
    assert.equal((await writeCache(request)).newPaths, 1)
    assert.deepEqual(
      snapshot(cache).map(file => file[0]),
      before.map(file => file[0]),
    )
    const { url, fileSize } = readNarinfo(cache, application)
    assert.equal(statSync(join(cache, url)).size, fileSize)
  })
}

const damages: [name: string, damage: (tree: string) => void][] = [
  ['one byte is off', tree => writeFileSync(join(tree, 'lib', 'big'), Buffer.alloc(1_500_000))],
  ['a file is longer', tree => writeFileSync(join(tree, 'lib', 'big'), Buffer.alloc(9_500_000))],
  ['a file is shorter', tree => writeFileSync(join(tree, 'lib', 'big'), 'x')],
  ['a file is executable', tree => chmodSync(join(tree, 'lib', 'big'), 0o755)],
  [
    'a link leads elsewhere',
    tree => {
      rmSync(join(tree, 'lib', 'link'))
      symlinkSync('bag', join(tree, 'lib', 'link'))
    },
  ],
  ['it is gone', tree => rmSync(tree, { recursive: true })],
]
for (const [name, damage] of damages) {
  test(`does not publish a path of which ${name}`, async t => {
    const { cache, store, library, application } = setting(t)
    const tree = store.physical(library)
    for (const folder of [tree, join(tree, 'lib')]) chmodSync(folder, 0o755)
    chmodSync(join(tree, 'lib', 'big'), 0o644)
    damage(tree)
    const writing = writeCache({ store, systems: [application], directory: cache })
    await assert.rejects(writing, { code: 'damaged', message: new RegExp(library) })
    assert.deepEqual(readdirSync(join(cache, 'closures')), [])
    assert.equal(readdirSync(cache).includes(`${library.slice(11, 43)}.narinfo`), false)
    assert.ok(readdirSync(join(cache, 'nar')).length <= 1)
    assert.deepEqual(
      readdirSync(cache).filter(file => file.startsWith('.')),
      [],
    )
  })
}

test('refuses a cache that holds another content of a path', async t => {
  const { cache, store, application } = setting(t)
  await writeCache({ store, systems: [application], directory: cache })
  const text = readFileSync(narinfoOf(cache, application), 'utf8')
  const other = text.replace(/NarHash: .*/, `NarHash: sha256:${'0'.repeat(52)}`)
  writeFileSync(narinfoOf(cache, application), other)
  const writing = writeCache({ store, systems: [application], directory: cache })
  await assert.rejects(writing, { code: 'cache-conflict' })
  assert.equal(readFileSync(narinfoOf(cache, application), 'utf8'), other)
})

test('refuses a cache of another store, and a file where the cache should be', async t => {
  const { directory, cache, store, application } = setting(t)
  mkdirSync(cache)
  writeFileSync(join(cache, 'nix-cache-info'), 'StoreDir: /gnu/store\n')
  const request = { store, systems: [application] }
  await assert.rejects(writeCache({ ...request, directory: cache }), { code: 'cache-conflict' })
  const file = join(directory, 'program')
  await assert.rejects(writeCache({ ...request, directory: file }), { code: 'config' })
})

test('refuses a system that is not in the store', async t => {
  const { cache, store } = setting(t)
  const systems = [`/nix/store/${'0'.repeat(32)}-none`]
  await assert.rejects(writeCache({ store, systems, directory: cache }), { code: 'missing-path' })
})

test('removes what a killed writer left, and goes on', async t => {
  const { cache, store, application } = setting(t)
  // No process has this number: it is above the highest that Linux gives.
  mkdirSync(join(cache, '.writing-4194305'), { recursive: true })
  writeFileSync(join(cache, '.writing-4194305', '1'), 'half a NAR')
  await writeCache({ store, systems: [application], directory: cache })
  assert.deepEqual(
    readdirSync(cache).filter(name => name.startsWith('.')),
    [],
  )
})

test('stops when it is told to', async t => {
  const { cache, store, application } = setting(t)
  const signal = AbortSignal.abort()
  const writing = writeCache({ store, systems: [application], directory: cache, signal })
  await assert.rejects(writing, { name: 'AbortError' })
})

test('Nix copies a content-addressed closure from the cache, without any signature', async t => {
  const { directory, cache, store, application } = setting(t)
  await writeCache({ store, systems: [application], directory: cache })
  const nix = nixOracle(directory)
  copyWithNix(nix, cache, application, '')
  nix.store('--verify', '--check-contents')
  assert.equal(nix.store('--query', '--requisites', application).split('\n').length, 2)
})

test('Nix copies an input-addressed closure that Nix built, by its signatures', async t => {
  const directory = temporaryDirectory(t)
  const builder = nixOracle(join(directory, 'builder'))
  const output = builder.build(`
    let make = name: needs: derivation {
      inherit name needs;
      system = builtins.currentSystem;
      builder = "/bin/sh";
      args = [ "-c" "echo $needs $out > $out" ];
    }; in make "top" [ (make "left" [ (make "base" []) ]) (make "right" []) ]`)
  const store = openStore(builder.root, { create: false })
  t.after(() => store.close())
  const key = parseNixSecretKey(generateNixKey('cache-1'))
  const cache = join(directory, 'cache')
  const request = { store, systems: [output], directory: cache }
  await writeCache(request)

  const nix = nixOracle(directory)
  assert.throws(() => copyWithNix(nix, cache, output, key.publicKey), /signature/)
  await writeCache({ ...request, signingKey: key })
  copyWithNix(nix, cache, output, key.publicKey)
  nix.nix('store', 'verify', '--trusted-public-keys', key.publicKey, '--recursive', output)
  const info = { path: output, ...narDigest(join(nix.root, output)) }
  assert.equal(info.narHash, store.query(output)?.narHash)
  const foreign = parseNixSecretKey(generateNixKey('cache-1')).publicKey
  const other = nixOracle(join(directory, 'builder', 'other'))
  assert.throws(() => copyWithNix(other, cache, output, foreign), /signature/)
})

/** With signatures required, and metadata never taken from an earlier copy. */
function copyWithNix(nix: NixOracle, cache: string, path: string, publicKey: string): void {
  const trust = ['--option', 'require-sigs', 'true', '--option', 'trusted-public-keys', publicKey]
  const fresh = ['--option', 'narinfo-cache-positive-ttl', '0']
  nix.nix('copy', ...trust, ...fresh, '--from', `file://${cache}`, path)
}

function narinfoOf(cache: string, path: string): string {
  return join(cache, `${path.slice(11, 43)}.narinfo`)
}

function readNarinfo(cache: string, path: string) {
  return parseNarinfo(readFileSync(narinfoOf(cache, path)), path)
}

/** Every file of the cache with its inode and the time of its last change. */
function snapshot(cache: string): [name: string, inode: number, changed: number][] {
  const names = readdirSync(cache, { recursive: true, encoding: 'utf8' }).sort()
  const files = names.filter(name => statSync(join(cache, name)).isFile())
  return files.map(name => {
    const { ino, ctimeMs } = statSync(join(cache, name))
    return [name, ino, ctimeMs]
  })
}
