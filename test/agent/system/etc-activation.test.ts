import assert from 'node:assert/strict'
import { lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { activateEtc } from '../../../agent/system/etc-activation.ts'
import { cutPowerAfter } from '../../support/power-cut.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { readTree, type Tree, withoutEmpty, writeTree } from '../../support/trees.ts'

/** A root with an etc per letter in its store. */
function root(t: TestContext, systems: Record<string, Tree>) {
  const prefix = temporaryDirectory(t)
  const pathOf = (letter: string) => `/nix/store/${letter.repeat(32)}-etc`
  for (const [letter, tree] of Object.entries(systems)) {
    writeTree(join(prefix, pathOf(letter)), tree)
  }
  return {
    prefix,
    etc: join(prefix, 'etc'),
    activate: (letter: string) => activateEtc({ prefix, etc: pathOf(letter) }),
    tree: () => readTree(join(prefix, 'etc'), /^static$|^\.static\.new$/),
  }
}

test('shows every file as a link through static, in real directories', t => {
  const { prefix, etc, activate, tree } = root(t, {
    a: { motd: 'hi', 'x/y/z': 'deep', 'x/mask': '-> /dev/null', 'empty/': '' },
  })
  const change = activate('a')
  assert.deepEqual(tree(), {
    'empty/': '',
    motd: '-> static/motd',
    'x/mask': '-> ../static/x/mask',
    'x/y/z': '-> ../../static/x/y/z',
  })
  assert.equal(readFileSync(join(prefix, 'etc/x/y/z'), 'utf8'), 'deep')
  assert.ok(lstatSync(join(etc, 'x/y')).isDirectory())
  assert.equal(change.from, undefined)
  assert.deepEqual(change.added.sort(), ['motd', 'x/mask', 'x/y/z'])
})

test('a file that both systems have changes with static alone', t => {
  const { etc, activate } = root(t, { a: { motd: 'one' }, b: { motd: 'two' } })
  activate('a')
  const before = lstatSync(join(etc, 'motd')).ino
  const change = activate('b')
  assert.equal(readFileSync(join(etc, 'motd'), 'utf8'), 'two')
  assert.equal(lstatSync(join(etc, 'motd')).ino, before)
  assert.deepEqual(change, {
    from: `/nix/store/${'a'.repeat(32)}-etc`,
    to: `/nix/store/${'b'.repeat(32)}-etc`,
    added: [],
    removed: [],
    kept: [],
  })
})

test('removes what the new system lacks, with the directories that it alone filled', t => {
  const { etc, activate, tree } = root(t, {
    a: { 'gone/deep/file': '', 'mixed/ours': '', kept: '' },
    b: { kept: '' },
  })
  activate('a')
  writeFileSync(join(etc, 'mixed/local'), 'mine')
  mkdirSync(join(etc, 'empty-local'))
  const change = activate('b')
  assert.deepEqual(tree(), { 'empty-local/': '', kept: '-> static/kept', 'mixed/local': 'mine' })
  assert.deepEqual(change.removed.sort(), ['gone/deep/file', 'mixed/ours'])
})

test('leaves local files, links and directories alone, and says so', t => {
  const { etc, activate, tree } = root(t, {
    a: { file: 'system', link: 'system', folder: 'system', 'real/x': 'system' },
  })
  const local = { file: 'local', link: '-> elsewhere', 'folder/own': 'local', real: 'local file' }
  writeTree(etc, local)
  const change = activate('a')
  assert.deepEqual(tree(), local)
  assert.deepEqual(change.kept.sort(), ['file', 'folder', 'link', 'real'])
  rmSync(join(etc, 'file'))
  assert.deepEqual(activate('a').added, ['file'])
})

test('follows a name from file to directory and back', t => {
  const { activate, tree } = root(t, { a: { x: 'file' }, b: { 'x/y/z': 'deep' } })
  for (const [letter, expected] of [
    ['a', { x: '-> static/x' }],
    ['b', { 'x/y/z': '-> ../../static/x/y/z' }],
    ['a', { x: '-> static/x' }],
  ] as const) {
    activate(letter)
    assert.deepEqual(tree(), expected)
  }
})

test('copies what the host changes itself once, and never again', t => {
  const { etc, activate, tree } = root(t, {
    a: { passwd: 'first', 'resolv.conf': '-> /run/resolv.conf', 'sub/passwd': 'not special' },
    b: { passwd: 'second', group: 'new' },
  })
  activate('a')
  writeFileSync(join(etc, 'passwd'), 'changed')
  activate('b')
  assert.deepEqual(tree(), {
    group: 'new',
    passwd: 'changed',
    'resolv.conf': '-> /run/resolv.conf',
  })
})

test('a link that only looks like ours stays', t => {
  const { etc, activate, tree } = root(t, { a: { x: '' } })
  mkdirSync(etc)
  symlinkSync('static/other', join(etc, 'name'))
  activate('a')
  assert.equal(tree().name, '-> static/other')
})

test('cut at any change and run again, it ends where it would have', t => {
  const systems = {
    a: { x: 'file', 'old/one': '', 'old/two': '', passwd: 'p', same: '1' },
    b: { 'x/y': 'deep', new: '', group: 'g', same: '2' },
  }
  const whole = root(t, systems)
  whole.activate('a')
  whole.activate('b')
  for (let cuts = 0, cut = true; cut; cuts += 1) {
    const one = root(t, systems)
    one.activate('a')
    cut = cutPowerAfter(cuts, () => one.activate('b'))
    one.activate('b')
    assert.deepEqual(withoutEmpty(one.tree()), whole.tree(), `after ${cuts} changes`)
  }
})
