import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PathInfo, StorePath } from '../../../agent/codec/documents.ts'
import { formatNixHash } from '../../../agent/codec/nix-hash.ts'
import { openStore } from '../../../agent/store/open-store.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

function pathOf(name: string): StorePath {
  return `/nix/store/${'0'.repeat(32)}-${name}`
}

function info(name: string, references: string[] = []): PathInfo {
  const narHash = formatNixHash(Buffer.alloc(32, name.length))
  return { path: pathOf(name), narHash, narSize: 100, references: references.map(pathOf).sort() }
}

function nix(root: string, ...words: string[]): string {
  needs('nix-store')
  return execFileSync('nix-store', ['--store', `local?root=${root}`, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

test('gives back what was registered, references first in a closure', t => {
  const store = openStore(temporaryDirectory(t))
  const infos = [info('top', ['lib', 'top', 'base']), info('lib', ['base']), info('base')]
  store.register(infos)
  for (const one of infos) assert.deepEqual(store.query(one.path), one)
  assert.deepEqual(
    store.closure(pathOf('top')).map(one => one.path),
    ['base', 'lib', 'top'].map(pathOf),
  )
  assert.deepEqual(store.paths(), ['base', 'lib', 'top'].map(pathOf))
  assert.equal(store.has(pathOf('none')), false)
  assert.equal(store.query(pathOf('none')), undefined)
  store.close()
})

test('registers all or nothing when a reference is not valid', t => {
  const store = openStore(temporaryDirectory(t))
  assert.throws(() => store.register([info('good'), info('bad', ['absent'])]), {
    code: 'missing-path',
  })
  assert.deepEqual(store.paths(), [])
  store.close()
})

test('names the path that a closure lacks', t => {
  const store = openStore(temporaryDirectory(t))
  assert.throws(() => store.closure(pathOf('none')), { code: 'missing-path', kind: 'host' })
  store.close()
})

test('walks a reference chain deeper than the call stack', t => {
  const store = openStore(temporaryDirectory(t))
  const depth = 20_000
  const names = Array.from({ length: depth }, (_, index) => `n${index}`)
  store.register(names.map((name, index) => info(name, index === 0 ? [] : [`n${index - 1}`])))
  assert.equal(store.closure(pathOf(`n${depth - 1}`)).length, depth)
  store.close()
})

test('creates the very schema that Nix creates', t => {
  const [ours, theirs] = [temporaryDirectory(t), temporaryDirectory(t)]
  openStore(ours).close()
  nix(theirs, '--init')
  assert.deepEqual(schemaOf(ours), schemaOf(theirs))
  const file = 'nix/var/nix/db/schema'
  assert.equal(readFileSync(join(ours, file), 'utf8'), readFileSync(join(theirs, file), 'utf8'))
})

test('Nix reads and extends a store that we made', t => {
  const root = temporaryDirectory(t)
  const store = openStore(root)
  store.register([info('top', ['top', 'base']), info('base')])
  store.close()
  assert.deepEqual(nix(root, '-q', '--requisites', pathOf('top')).trim().split('\n'), [
    pathOf('base'),
    pathOf('top'),
  ])
  const source = join(temporaryDirectory(t), 'added')
  writeFileSync(source, 'by nix\n')
  const added = nix(root, '--add', source).trim()
  const again = openStore(root)
  assert.ok(again.has(added))
  assert.match(again.query(added)?.ca ?? '', /^fixed:r:sha256:[0-9a-z]{52}$/)
  again.close()
})

test('reads a store that Nix made, also when it may not write there', t => {
  const root = temporaryDirectory(t)
  const source = join(temporaryDirectory(t), 'file')
  writeFileSync(source, 'x')
  const added = nix(root, '--add', source).trim()
  const store = openStore(root, { readOnly: true })
  assert.equal(store.query(added)?.narSize, Number(nix(root, '-q', '--size', added)))
  assert.equal(store.query(added)?.narHash, nix(root, '-q', '--hash', added).trim())
  assert.throws(() => store.register([info('new')]))
  store.close()
})

test('keeps the deriver and signatures that Nix knew', t => {
  const root = temporaryDirectory(t)
  const database = join(root, 'nix/var/nix/db/db.sqlite')
  const store = openStore(root)
  store.register([info('base')])
  sql(database, `update ValidPaths set deriver = 'd', sigs = 's'`)
  store.register([info('base')])
  store.close()
  assert.deepEqual(sql(database, 'select deriver, sigs from ValidPaths'), [
    { deriver: 'd', sigs: 's' },
  ])
})

test('refuses a registry of another schema, junk, and a store that is not there', t => {
  const newer = temporaryDirectory(t)
  openStore(newer).close()
  writeFileSync(join(newer, 'nix/var/nix/db/schema'), '11')
  assert.throws(() => openStore(newer), { code: 'store-schema' })
  const junk = temporaryDirectory(t)
  mkdirSync(join(junk, 'nix/var/nix/db'), { recursive: true })
  writeFileSync(join(junk, 'nix/var/nix/db/db.sqlite'), 'not a database, but long enough to be one')
  assert.throws(() => openStore(junk), { code: 'store-schema' })
  const absent = temporaryDirectory(t)
  assert.throws(() => openStore(absent, { create: false }), { code: 'missing', kind: 'usage' })
  assert.throws(() => openStore(absent, { readOnly: true }), { code: 'missing' })
  assert.ok(!existsSync(join(absent, 'nix')))
})

test('finishes a registry whose making was cut short', t => {
  const root = temporaryDirectory(t)
  mkdirSync(join(root, 'nix/var/nix/db'), { recursive: true })
  writeFileSync(join(root, 'nix/var/nix/db/db.sqlite'), '')
  const store = openStore(root)
  store.register([info('base')])
  assert.ok(store.has(pathOf('base')))
  store.close()
})

test('points, moves and removes garbage-collection roots', t => {
  const store = openStore(temporaryDirectory(t))
  const link = join(store.root, 'nix/var/nix/gcroots/holdfast/current')
  store.setRoot('current', pathOf('one'))
  store.setRoot('current', pathOf('two'))
  assert.equal(readlinkSync(link), pathOf('two'))
  store.removeRoot('current')
  store.removeRoot('current')
  assert.ok(!existsSync(link))
  assert.throws(() => store.setRoot('../out', pathOf('one')), { code: 'usage' })
  assert.throws(() => store.setRoot('out', '/etc/passwd'), { code: 'store-path' })
  store.close()
})

function schemaOf(root: string): unknown {
  const rows = sql(
    join(root, 'nix/var/nix/db/db.sqlite'),
    'select type, name, sql from sqlite_master',
  )
  return rows.map(row => ({ ...row, sql: squeeze(String(row.sql)) }))
}

/** SQLite keeps the text of a statement, comments and blanks included. */
function squeeze(text: string): string {
  return text.replace(/--.*$/gm, '').replaceAll(/\s+/g, ' ').trim()
}

function sql(file: string, statement: string): Record<string, unknown>[] {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const database = new DatabaseSync(file)
  try {
    return database
      .prepare(statement)
      .all()
      .map(row => ({ ...row }))
  } finally {
    database.close()
  }
}
