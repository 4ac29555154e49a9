import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readBuildFile } from '../../installer/build-file.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { writeTree } from '../support/trees.ts'

function place(t: TestContext, content: string) {
  const directory = writeTree(temporaryDirectory(t), {
    'root/usr/bin/sh': '',
    'root/usr/lib/systemd/systemd': '',
    'bare/usr/bin/sh': '',
    'empty/': '',
    'units/web.service': '',
    'web/page': '',
    file: '',
  })
  const file = join(directory, 'build.json')
  writeFileSync(file, content)
  return { directory, file }
}

test('reads a whole build file, with paths relative to it', t => {
  const { directory, file } = place(
    t,
    JSON.stringify({
      type: 'holdfast-build-1',
      name: 'web',
      rootfs: 'root',
      units: './units',
      enable: ['web.service'],
      mask: ['a@b.timer'],
      packages: { web: 'web' },
      agent: { poll: { cron: '* * * * *' } },
    }),
  )
  const { agent, ...build } = readBuildFile(file)
  assert.deepEqual(build, {
    name: 'web',
    services: 'systemd',
    rootfs: join(directory, 'root'),
    init: '/usr/lib/systemd/systemd',
    units: join(directory, 'units'),
    enable: ['web.service'],
    mask: ['a@b.timer'],
    packages: new Map([['web', join(directory, 'web')]]),
  })
  assert.equal(JSON.stringify(agent?.config), '{"poll":{"cron":"* * * * *"}}')
})

test('without a root file system services are plain', t => {
  const { file } = place(t, '{"name":"web"}')
  const build = readBuildFile(file)
  assert.equal(build.services, 'plain')
  assert.equal(build.init, undefined)
  assert.deepEqual(build.agent, {})
})

const refused: [name: string, content: string, message: RegExp][] = [
  ['what is not JSON', '{"name":', /build\.json": .*line 1/],
  ['no name', '{}', /Cannot read "name" in .*: it is missing/],
  ['a name that no store path can have', '{"name":"a/b"}', /"a\/b", not letters/],
  ['an unknown key', '{"name":"a","unit":"x"}', /Cannot read "unit" in .*known are type, name/],
  ['another type', '{"type":"holdfast-build-2","name":"a"}', /not "holdfast-build-1"/],
  ['a directory that is not there', '{"name":"a","units":"nowhere"}', /"nowhere", which is not a/],
  ['a file for a directory', '{"name":"a","etc":"file"}', /"file", which is not a directory/],
  ['a root without usr', '{"name":"a","rootfs":"empty"}', /no usr\/bin: it is no root file/],
  ['a root without systemd', '{"name":"a","rootfs":"bare"}', /the rootfs has no \/usr\/lib\/sys/],
  ['an init that is not there', '{"name":"a","rootfs":"root","init":"/x"}', /"\/x", which is not/],
  ['systemd without a root', '{"name":"a","services":"systemd"}', /services under systemd need/],
  ['other services', '{"name":"a","services":"runit"}', /neither "systemd" nor "plain"/],
  ['half a unit name', '{"name":"a","enable":["web"]}', /"web", which is not the full name/],
  ['a path for a unit name', '{"name":"a","mask":["../x.service"]}', /not the full name of a unit/],
  ['an agent that is a word', '{"name":"a","agent":"yes"}', /neither true, false nor an object/],
  ['a package elsewhere', '{"name":"a","packages":{"b":"none"}}', /"b" in .*, packages: it is "no/],
]

for (const [name, content, message] of refused) {
  test(`refuses ${name}`, t => {
    const { file } = place(t, content)
    assert.throws(() => readBuildFile(file), { code: 'config', kind: 'usage', message })
  })
}

test('says so when there is no build file', t => {
  const path = join(temporaryDirectory(t), 'none.json')
  const message = `Cannot read the build file "${path}": it does not exist`
  assert.throws(() => readBuildFile(path), { code: 'config', message })
})
