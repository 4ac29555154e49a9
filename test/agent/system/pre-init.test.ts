import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openStore } from '../../../agent/store/open-store.ts'
import { activateEtc } from '../../../agent/system/etc-activation.ts'
import { preInit } from '../../../agent/system/pre-init.ts'
import { commitProfile, readProfile } from '../../../agent/system/profile.ts'
import { linkRoot } from '../../../agent/system/root-links.ts'
import { writeImageDirectory } from '../../../installer/image-directory.ts'
import { cutPowerAfter } from '../../support/power-cut.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { tinySystem } from '../../support/tiny-system.ts'
import { readTree, withoutEmpty } from '../../support/trees.ts'

/**
 * What differs from root to root, the store, which is not what is made, and links that were cut
 * before they got their names: the next one of the same name takes their place.
 */
const NOT_COMPARED = /^(nix\/store|nix\/var\/nix\/db|etc\/machine-id)|(^|\/)\.(usr|static)\.new$/
const env = {}

function systems(t: TestContext) {
  const directory = temporaryDirectory(t)
  const store = openStore(join(directory, 'store'))
  t.after(() => store.close())
  const one = tinySystem(store, {
    name: 'one',
    rootfs: { 'usr/bin/tool': '1', 'usr/lib64/ld': '', 'var/lib/db/data': 'first', 'srv/': '' },
    etc: { passwd: 'root:x:0:0::/root:/bin/sh\n', shadow: 'root:*:', motd: 'one', 'a/b/c': 'abc' },
  })
  const two = tinySystem(store, {
    name: 'two',
    rootfs: { 'usr/bin/tool': '2', 'var/lib/db/data': 'second', 'var/lib/new/data': 'new' },
    etc: { passwd: 'other', motd: 'two', 'a/b': 'now a file', 'd/e': 'de' },
  })
  const image = (name: string, tree = one) => {
    const root = join(directory, name)
    writeImageDirectory({ store, system: tree.system, directory: root })
    return root
  }
  return { directory, store, one, two, image }
}

test('makes a root out of a bare store', t => {
  const { one, image } = systems(t)
  const root = image('root')
  assert.deepEqual(preInit({ prefix: root, system: one.system, env }), [])
  const tree = readTree(root, NOT_COMPARED)
  assert.equal(tree.usr, `-> ${one.rootfs?.slice(1)}/usr`)
  assert.equal(tree.bin, '-> usr/bin')
  assert.equal(tree.lib64, '-> usr/lib64')
  assert.equal(tree['etc/static'], `-> ..${one.etc}`)
  assert.equal(tree['etc/a/b/c'], '-> ../../static/a/b/c')
  assert.equal(tree['etc/passwd'], 'root:x:0:0::/root:/bin/sh\n')
  assert.equal(tree['var/lib/db/data'], 'first')
  assert.equal(tree.init, '-> nix/var/nix/profiles/system/init')
  assert.equal(tree['nix-path-registration'], undefined)
  assert.equal(statSync(join(root, 'etc/shadow')).mode & 0o777, 0o640)
  assert.equal(statSync(join(root, 'tmp')).mode & 0o7777, 0o1777)
  assert.equal(statSync(join(root, 'var/lib/holdfast')).mode & 0o777, 0o700)
  assert.deepEqual(readProfile(root), { generation: 1, system: one.system })
  const store = openStore(root, { create: false })
  assert.deepEqual(store.closure(one.system).length, 3)
  store.close()
})

test('a second time changes nothing', t => {
  const { one, image } = systems(t)
  const root = image('root')
  preInit({ prefix: root, system: one.system, env })
  const before = readTree(root, /^nix\/var\/nix\/db/)
  assert.deepEqual(preInit({ prefix: root, system: one.system, env }), [])
  assert.deepEqual(readTree(root, /^nix\/var\/nix\/db/), before)
})

test('cut at any change and run again, it makes the same root', t => {
  const { one, image } = systems(t)
  const whole = image('whole')
  preInit({ prefix: whole, system: one.system, env })
  const expected = readTree(whole, NOT_COMPARED)
  let cuts = 0
  for (let cut = true; cut; cuts += 1) {
    const root = image('cut')
    cut = cutPowerAfter(cuts, () => preInit({ prefix: root, system: one.system, env }))
    assert.deepEqual(preInit({ prefix: root, system: one.system, env }), [], `after ${cuts}`)
    assert.deepEqual(readTree(root, NOT_COMPARED), expected, `after ${cuts} changes`)
    assert.match(readFileSync(join(root, 'etc/machine-id'), 'utf8'), /^[0-9a-f]{32}\n$/)
    const store = openStore(root, { create: false })
    assert.equal(store.has(one.system), true, `registered after ${cuts} changes`)
    store.close()
    rmSync(root, { recursive: true, force: true })
  }
  assert.ok(cuts > 60, `${cuts} places to cut at`)
})

test('puts a root right that was left on a system which was only tested', t => {
  const { one, two, image, store } = systems(t)
  const root = image('root')
  preInit({ prefix: root, system: one.system, env })
  const files = () => withoutEmpty(readTree(root, NOT_COMPARED))
  const before = files()
  writeImageDirectory({ store, system: two.system, directory: root })
  const rootfs = two.rootfs ?? ''
  for (let cuts = 0, cut = true; cut; cuts += 1) {
    cut = cutPowerAfter(cuts, () => {
      linkRoot({ prefix: root, rootfs })
      activateEtc({ prefix: root, etc: two.etc })
    })
    assert.deepEqual(preInit({ prefix: root, system: one.system, env }), [])
    assert.deepEqual(files(), before, `cut after ${cuts} changes`)
  }
})

test('leaves alone what the host made its own', t => {
  const { one, two, image, store } = systems(t)
  const root = image('root')
  preInit({ prefix: root, system: one.system, env })
  writeFileSync(join(root, 'etc/passwd'), 'changed here')
  writeFileSync(join(root, 'etc/local'), 'mine')
  writeFileSync(join(root, 'var/lib/db/data'), 'grown')
  writeImageDirectory({ store, system: two.system, directory: root })
  commitProfile(root, two.system)
  assert.deepEqual(preInit({ prefix: root, system: two.system, env }), [])
  const tree = readTree(root, NOT_COMPARED)
  assert.equal(tree['etc/passwd'], 'changed here')
  assert.equal(tree['etc/local'], 'mine')
  assert.equal(tree['var/lib/db/data'], 'grown')
  assert.equal(tree['var/lib/new/data'], 'new')
  assert.deepEqual(readProfile(root), { generation: 2, system: two.system })
})

test('a step that fails does not keep the others from being done', t => {
  const { one, image } = systems(t)
  const root = image('root')
  writeFileSync(join(root, 'nix-path-registration'), 'not a registration')
  mkdirSync(join(root, 'bin'))
  writeFileSync(join(root, 'bin/own'), '')
  const problems = preInit({ prefix: root, system: one.system, env })
  assert.deepEqual(
    problems.map(problem => problem.step),
    ['root links', 'registration'],
  )
  assert.match(String(problems[0]?.error), /it is a directory with files of its own/)
  assert.deepEqual(readProfile(root), { generation: 1, system: one.system })
  assert.ok(existsSync(join(root, 'etc/motd')))
})

test('keeps a seed, names the host by it, and never takes another', t => {
  const { one, image, directory } = systems(t)
  const root = image('root')
  const seedFile = join(directory, 'seed')
  writeFileSync(seedFile, '{"host":"web-1"}')
  assert.deepEqual(preInit({ prefix: root, system: one.system, env, seedFile }), [])
  writeFileSync(seedFile, '{"host":"web-2"}')
  assert.deepEqual(preInit({ prefix: root, system: one.system, env, seedFile }), [])
  const kept = join(root, 'var/lib/holdfast/seed.json')
  assert.equal(readFileSync(kept, 'utf8'), '{"host":"web-1"}')
  assert.equal(statSync(kept).mode & 0o777, 0o600)
  assert.equal(readFileSync(join(root, 'etc/hostname'), 'utf8'), 'web-1\n')
})

test("takes a container manager's own id for the machine", t => {
  const { one, image } = systems(t)
  const root = image('root')
  const given = { container_uuid: '0F1E2D3C-4B5A-4678-9ABC-DEF012345678' }
  preInit({ prefix: root, system: one.system, env: given })
  const id = readFileSync(join(root, 'etc/machine-id'), 'utf8')
  assert.equal(id, '0f1e2d3c4b5a46789abcdef012345678\n')
})
