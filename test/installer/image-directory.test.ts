import assert from 'node:assert/strict'
import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeRegistration } from '../../agent/codec/registration.ts'
import { openStore } from '../../agent/store/open-store.ts'
import { writeImageDirectory } from '../../installer/image-directory.ts'
import { cutPowerAfter } from '../support/power-cut.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { tinySystem } from '../support/tiny-system.ts'
import { readTree } from '../support/trees.ts'

for (const hardLinks of [false, true]) {
  test(`holds a store and nothing else, ${hardLinks ? 'linked' : 'copied'}`, t => {
    const directory = temporaryDirectory(t)
    const store = openStore(join(directory, 'store'))
    t.after(() => store.close())
    const rootfs = { 'usr/bin/tool': 'x', 'usr/lib/link': '-> ../bin/tool' }
    const { system, rootfs: path } = tinySystem(store, { name: 'one', rootfs, etc: { motd: '1' } })
    tinySystem(store, { name: 'other', etc: { motd: 'not part of it' } })
    const root = join(directory, 'root')
    writeImageDirectory({ store, system, directory: root, hardLinks })
    assert.deepEqual(readdirSync(root).sort(), ['nix', 'nix-path-registration', 'usr'])
    assert.equal(readdirSync(join(root, 'nix/store')).length, 3)
    const registered = decodeRegistration(readFileSync(join(root, 'nix-path-registration')))
    const closure = store.closure(system).map(info => info.path)
    assert.deepEqual(registered.map(info => info.path).sort(), closure.sort())
    for (const one of closure) {
      assert.deepEqual(readTree(join(root, one)), readTree(store.physical(one)))
    }
    const tool = lstatSync(join(root, path ?? '', 'usr/bin/tool'))
    assert.equal(tool.mode & 0o777, 0o555)
    assert.equal(tool.mtimeMs, 1000)
    assert.equal(lstatSync(join(root, path ?? '', 'usr/lib/link')).mtimeMs, 1000)
  })
}

test('cut at any change and run again, every path is whole', t => {
  const directory = temporaryDirectory(t)
  const store = openStore(join(directory, 'store'))
  t.after(() => store.close())
  const { system } = tinySystem(store, { name: 'one', etc: { 'a/b': '1', 'a/c': '2' } })
  for (let cuts = 0, cut = true; cut; cuts += 1) {
    const root = join(directory, 'root')
    cut = cutPowerAfter(cuts, () => writeImageDirectory({ store, system, directory: root }))
    writeImageDirectory({ store, system, directory: root })
    for (const { path } of store.closure(system)) {
      assert.deepEqual(readTree(join(root, path)), readTree(store.physical(path)), `cut ${cuts}`)
    }
    rmSync(root, { recursive: true, force: true })
  }
})
