import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { addAccounts } from '../../../agent/system/accounts.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { readTree, type Tree, writeTree } from '../../support/trees.ts'

function add(t: TestContext, host: Tree, system: Tree) {
  const directory = temporaryDirectory(t)
  const etc = writeTree(join(directory, 'etc'), host)
  const store = writeTree(join(directory, 'store'), system)
  const added = addAccounts(store, etc)
  assert.deepEqual(addAccounts(store, etc), [], 'a second time adds nothing')
  return { added, etc, files: readTree(etc) }
}

test('adds the users and groups that the host does not know', t => {
  const { added, files } = add(
    t,
    {
      passwd: 'root:x:0:0::/:sh\nme:x:1000:1000::/:sh',
      shadow: 'root:secret:1\n',
      group: 'root:x:0:\n',
    },
    {
      passwd: 'root:x:0:0:new:/:sh\nweb:x:990:990::/:sh\n',
      shadow: 'root:*:1\nweb:!:1\n',
      group: 'root:x:0:me\nweb:x:990:\n',
    },
  )
  assert.deepEqual(files, {
    group: 'root:x:0:\nweb:x:990:\n',
    passwd: 'root:x:0:0::/:sh\nme:x:1000:1000::/:sh\nweb:x:990:990::/:sh\n',
    shadow: 'root:secret:1\nweb:!:1\n',
  })
  assert.deepEqual(added, ['group: web', 'passwd: web', 'shadow: web'])
})

test('does not give a number a second name', t => {
  const host = { passwd: 'mine:x:990:990::/:sh\n', shadow: 'mine:x:1\n' }
  const system = { passwd: 'web:x:990:990::/:sh\n', shadow: 'web:!:1\n' }
  const { added, files } = add(t, host, system)
  assert.deepEqual(files, host)
  assert.deepEqual(added, [])
})

test('passes over comments and broken lines, and keeps modes', t => {
  const { etc, files } = add(
    t,
    { group: '# mine\n' },
    { group: '# theirs\nbroken\n\nweb:x:990:\n' },
  )
  assert.equal(files.group, '# mine\nweb:x:990:\n')
  assert.equal(statSync(join(etc, 'group')).mode & 0o777, 0o644)
})
