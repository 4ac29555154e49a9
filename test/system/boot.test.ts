import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StorePath } from '../../agent/codec/documents.ts'
import { openStore } from '../../agent/store/open-store.ts'
import type { Store } from '../../agent/store/store.ts'
import { commitProfile, readProfile } from '../../agent/system/profile.ts'
import { buildSystem } from '../../installer/build.ts'
import { readBuildFile } from '../../installer/build-file.ts'
import { writeImageDirectory } from '../../installer/image-directory.ts'
import { bootContainer, type Container } from '../support/container.ts'
import { debianRootfs } from '../support/debian-rootfs.ts'
import { needs } from '../support/needs.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const agentMain = join(import.meta.dirname, '../support/layout-agent.ts')
let rootfs: string

before(async () => {
  needs('systemd-nspawn', 'nsenter', 'mmdebstrap')
  assert.equal(process.getuid?.(), 0, 'this test boots containers: run it as root')
  rootfs = await debianRootfs()
})

async function build(directory: string, store: Store, motd: string): Promise<StorePath> {
  mkdirSync(join(directory, motd, 'units'), { recursive: true })
  mkdirSync(join(directory, motd, 'etc'))
  mkdirSync(join(directory, motd, 'web'))
  writeFileSync(join(directory, motd, 'web/page'), `page of ${motd}`)
  writeFileSync(join(directory, motd, 'etc/motd'), motd)
  writeFileSync(join(directory, motd, 'etc', `only-${motd}`), motd)
  writeFileSync(
    join(directory, motd, 'units/web.service'),
    '[Service]\nExecStartPre=/usr/bin/test -e @web@/page\nExecStart=/usr/bin/sleep infinity\n' +
      '[Install]\nWantedBy=multi-user.target\n',
  )
  const file = join(directory, motd, 'build.json')
  const build = { name: 'web', rootfs, units: 'units', etc: 'etc', packages: { web: 'web' } }
  writeFileSync(file, JSON.stringify({ ...build, mask: ['apt-daily.timer'] }))
  return (await buildSystem({ store, build: readBuildFile(file), agentMain })).system
}

test('a root that is only a store boots, and comes back on what is committed', async t => {
  const directory = temporaryDirectory(t)
  const root = join(directory, 'root')
  const store = openStore(join(directory, 'store'))
  t.after(() => store.close())
  const one = await build(directory, store, 'one')
  const two = await build(directory, store, 'two')
  writeImageDirectory({ store, system: one, directory: root })
  assert.deepEqual(readdirSync(root).sort(), ['nix', 'nix-path-registration', 'usr'])
  assert.deepEqual(readdirSync(join(root, 'nix')), ['store'])

  let container: Container | undefined
  let boots = 0
  const boot = async (init: string, words: string[] = []) => {
    await container?.cutPower()
    boots += 1
    const seed = JSON.stringify({ host: `seeded-${boots}` })
    const credentials = { 'holdfast.seed': seed }
    const name = `boot-${process.pid}`
    container = await bootContainer({ root, init, words, name, credentials })
    const state = await container.started()
    assert.equal(
      state,
      'running',
      `${container.run('systemctl', '--failed')}\n${container.console()}`,
    )
    return container
  }
  t.after(() => container?.cutPower())

  const first = await boot(`${one}/init`, ['--log-level=info'])
  assert.equal(first.run('cat', '/etc/motd'), 'one')
  assert.equal(first.run('readlink', '/run/booted-system', '/run/current-system'), `${one}\n${one}`)
  assert.equal(first.run('systemctl', 'is-active', 'web', 'holdfast-agent'), 'active\nactive')
  assert.equal(first.run('systemctl', 'is-enabled', 'apt-daily.timer'), 'masked')
  assert.equal(first.run('systemctl', 'is-active', 'multi-user.target'), 'active')
  const words = first.run('cat', '/proc/1/cmdline').split('\0').slice(0, 2)
  assert.deepEqual(words, ['/usr/lib/systemd/systemd', '--log-level=info'])
  const environment = first.run('cat', '/proc/1/environ').split('\0')
  assert.ok(environment.includes('container=systemd-nspawn'))
  const machineId = readFileSync(join(root, 'etc/machine-id'), 'utf8')
  const bootId = first.run('cat', '/run/holdfast/boot-id')
  assert.match(machineId, /^[0-9a-f]{32}\n$/)
  assert.equal(readlinkSync(join(root, 'init')), 'nix/var/nix/profiles/system/init')
  assert.ok(!readdirSync(root).includes('nix-path-registration'), 'it is loaded once')

  assert.equal(first.run('cat', '/var/lib/holdfast/seed.json'), '{"host":"seeded-1"}')

  // The power goes. The stable name boots too, and the host is the same one.
  const second = await boot('/init')
  assert.equal(readFileSync(join(root, 'etc/machine-id'), 'utf8'), machineId)
  assert.notEqual(second.run('cat', '/run/holdfast/boot-id'), bootId)
  assert.deepEqual(readProfile(root), { generation: 1, system: one })
  assert.equal(second.run('hostname'), 'seeded-1', 'it keeps its first seed')

  // Another system is tested, and the power goes before it is committed.
  writeImageDirectory({ store, system: two, directory: root })
  second.run(`${two}/bin/switch-to-configuration`, 'test')
  assert.equal(second.run('cat', '/etc/motd'), 'two')
  assert.equal(second.run('readlink', '/run/current-system'), two)
  writeFileSync(join(root, 'etc/local'), 'mine')
  const third = await boot(`${two}/init`)
  assert.equal(third.run('cat', '/etc/motd'), 'one')
  assert.equal(third.run('ls', '/etc/only-one', '/etc/only-two'), '/etc/only-one')
  assert.equal(third.run('cat', '/etc/local'), 'mine')
  assert.equal(third.run('readlink', '/run/booted-system'), one)

  // Committed, it boots, even by a start command that still names the first.
  commitProfile(root, two)
  const fourth = await boot(`${one}/init`)
  assert.equal(fourth.run('cat', '/etc/motd'), 'two')
  assert.equal(fourth.run('readlink', '/run/booted-system'), two)
  assert.deepEqual(readProfile(root), { generation: 2, system: two })
})

test('a first boot that is cut again and again comes up in the end', async t => {
  const directory = temporaryDirectory(t)
  const root = join(directory, 'root')
  const store = openStore(join(directory, 'store'))
  t.after(() => store.close())
  const system = await build(directory, store, 'one')
  writeImageDirectory({ store, system, directory: root })
  const boot = () => bootContainer({ root, init: `${system}/init`, name: `cut-${process.pid}` })
  for (const milliseconds of [50, 120, 190, 260, 330, 500]) {
    const cut = await boot()
    await sleep(milliseconds)
    await cut.cutPower()
  }
  const container = await boot()
  t.after(() => container.cutPower())
  assert.equal(await container.started(), 'running', container.console())
  assert.equal(container.run('cat', '/etc/motd'), 'one')
  assert.deepEqual(readProfile(root), { generation: 1, system })
  assert.ok(!container.console().includes('holdfast:'), container.console())
  const packages = container.run('sh', '-c', 'cat /var/lib/dpkg/status | grep -c ^Package:')
  assert.ok(Number(packages) > 50, `${packages} packages: the first content is whole`)
})
