import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { unitValues } from '../../../agent/system/unit-files.ts'
import { findUnit, pulledIn, readUnitTree, realName } from '../../../agent/system/unit-tree.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

test('reads a root as systemd in it would: links from the root, the first folder first', t => {
  const root = temporaryDirectory(t)
  const write = (path: string, text: string) => put(root, path, file => writeFileSync(file, text))
  const link = (path: string, to: string) => put(root, path, file => symlinkSync(to, file))
  const etc = '/etc/systemd/system'
  const usr = '/usr/lib/systemd/system'
  write('/nix/store/x-web/web.service', '[Service]\nExecStart=/own')
  link(`${etc}/web.service`, '/nix/store/x-web/web.service')
  write(`${usr}/web.service`, '[Service]\nExecStart=/shipped')
  write(`${usr}/web.service.d/10.conf`, '[Service]\nEnvironment=A=1')
  write(`${etc}/web.service.d/20.conf`, '[Service]\nEnvironment=B=1')
  write(`${usr}/web.service.d/20.conf`, '[Service]\nEnvironment=C=1')
  write(`${usr}/masked.service`, '[Service]\nExecStart=/x')
  link(`${etc}/masked.service`, '/dev/null')
  write(`${usr}/far.service`, '[Service]\nExecStart=/x')
  link('/etc/static/far.service', '/dev/null')
  link(`${etc}/far.service`, '../../static/far.service')
  write(`${usr}/real.service`, '[Service]\nExecStart=/real')
  link(`${usr}/alias.service`, 'real.service')
  link(`${etc}/other.service`, '/lib/systemd/system/real.service')
  write(`${usr}/job@.service`, '[Service]\nExecStart=/job %i')
  write(`${etc}/job-.service.d/all.conf`, '[Service]\nNice=1')
  link(`${etc}/multi-user.target.wants/job@one.service`, '/usr/lib/systemd/system/job@.service')
  link(`${etc}/multi-user.target.requires/web.service`, '../web.service')
  write(`${etc}/job@one.service.bak`, 'no unit')

  const tree = readUnitTree(root, [etc, usr])
  const values = (name: string, key: string) => {
    const unit = findUnit(tree, name)
    return unit && unitValues(unit, 'Service', key)
  }
  assert.deepEqual(values('web.service', 'ExecStart'), ['/own'])
  assert.deepEqual(values('web.service', 'Environment'), ['A=1', 'B=1'])
  assert.equal(findUnit(tree, 'masked.service'), undefined)
  assert.equal(findUnit(tree, 'far.service'), undefined)
  assert.equal(findUnit(tree, 'none.service'), undefined)
  assert.equal(realName(tree, 'alias.service'), 'real.service')
  assert.deepEqual(values('other.service', 'ExecStart'), ['/real'])
  assert.deepEqual(values('job@one.service', 'ExecStart'), ['/job %i'])
  assert.deepEqual([...pulledIn(tree, 'multi-user.target')].sort(), [
    'job@one.service',
    'web.service',
  ])
})

test('a loop of links is a unit that is not there', t => {
  const root = temporaryDirectory(t)
  put(root, '/etc/systemd/system/a.service', file => symlinkSync('b.service', file))
  put(root, '/etc/systemd/system/b.service', file => symlinkSync('a.service', file))
  put(root, '/etc/systemd/system/c.service', file => symlinkSync('/x/c.service', file))
  put(root, '/x/c.service', file => symlinkSync('/x/c.service', file))
  const tree = readUnitTree(root, ['/etc/systemd/system', '/none'])
  for (const name of ['a', 'b', 'c']) assert.equal(findUnit(tree, `${name}.service`), undefined)
})

function put(root: string, path: string, make: (file: string) => void): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  make(join(root, path))
}
