import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openStore } from '../../agent/store/open-store.ts'
import { readLayout } from '../../agent/system/layout-file.ts'
import { buildSystem } from '../../installer/build.ts'
import { readBuildFile } from '../../installer/build-file.ts'
import { needs } from '../support/needs.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { readTree, type Tree, writeTree } from '../support/trees.ts'

const layoutAgent = join(import.meta.dirname, '../support/layout-agent.ts')
const SERVICE = '[Service]\nExecStart=/usr/bin/web\n[Install]\nWantedBy=multi-user.target\n'

/** Sources in a directory, with a quick build: no agent unless it is asked for. */
function sources(t: TestContext, tree: Tree, build: object = {}) {
  const directory = temporaryDirectory(t)
  const from = writeTree(join(directory, 'from'), {
    'rootfs/usr/bin/sh': 'shell',
    'rootfs/usr/lib/systemd/systemd': 'init',
    'rootfs/usr/lib/systemd/system/sshd@.service': SERVICE,
    'rootfs/etc/passwd': 'root',
    'rootfs/etc/hostname': 'build machine',
    'rootfs/etc/os-release': '-> ../usr/lib/os-release',
    'rootfs/etc/rc/one': '-> ../passwd',
    'rootfs/var/lib/x': 'x',
    'rootfs/proc/1': 'never packed',
    ...tree,
  })
  const file = join(from, 'build.json')
  writeFileSync(file, JSON.stringify({ name: 'web', rootfs: 'rootfs', agent: false, ...build }))
  const said: string[] = []
  const make = async (name = 'store') => {
    const store = openStore(join(directory, name))
    t.after(() => store.close())
    const build = readBuildFile(file)
    const result = await buildSystem({
      store,
      build,
      agentMain: layoutAgent,
      say: l => said.push(l),
    })
    const { etc } = readLayout(store.root, result.system)
    return { ...result, store, etc: readTree(store.physical(etc)) }
  }
  return { from, file, said, make }
}

test('packs a root file system, files, units and packages; the parts know each other', async t => {
  const { make } = sources(
    t,
    {
      'units/web.service': SERVICE.replace('/usr/bin/web', '@web@/bin/web @other@ user@host'),
      'etc/motd': 'hello',
      'etc/passwd': 'ours',
      'health/web.json': '{"kind":"exec","command":["@web@/bin/check"]}',
      'web/bin/web': 'program',
    },
    { units: 'units', etc: 'etc', health: 'health', packages: { web: 'web' } },
  )
  const { store, system, etc, paths } = await make()
  assert.equal(etc.motd, 'hello')
  assert.equal(etc.passwd, 'ours')
  assert.equal(etc['rc/one'], '-> ../passwd')
  assert.equal(etc['os-release'], '-> /usr/lib/os-release')
  assert.equal(etc.hostname, undefined)
  const unit = etc['systemd/system/web.service'] ?? ''
  assert.match(unit, new RegExp(`ExecStart=${paths.web}/bin/web @other@ user@host\n`))
  assert.equal(etc['systemd/system/multi-user.target.wants/web.service'], '-> ../web.service')
  const health = readFileSync(join(store.physical(system), 'health/web.json'), 'utf8')
  assert.equal(health, `{"kind":"exec","command":["${paths.web}/bin/check"]}`)
  const rootfs = readTree(store.physical(paths.rootfs ?? ''))
  assert.deepEqual(Object.keys(rootfs).sort(), [
    'usr/bin/sh',
    'usr/lib/systemd/system/sshd@.service',
    'usr/lib/systemd/systemd',
    'var/lib/x',
  ])
  const referencesOf = (path: string | undefined) => store.query(path ?? '')?.references
  assert.deepEqual(referencesOf(paths.etc), [paths.web])
  assert.deepEqual(referencesOf(system), [paths.etc, paths.rootfs, paths.web].sort())
  assert.equal(readlinkSync(join(store.physical(system), 'etc')), paths.etc)
})

test('the same sources give the same path, in any store', async t => {
  const { make } = sources(t, { 'etc/motd': 'hello' }, { etc: 'etc' })
  const [one, two] = [await make('one'), await make('two')]
  assert.deepEqual(one.paths, two.paths)
  assert.equal(one.system, two.system)
})

test('remembers a root file system, and sees every change to it', async t => {
  const { from, make, said } = sources(t, {})
  const file = join(from, 'rootfs/usr/bin/sh')
  utimesSync(file, 1, 1)
  const one = await make()
  assert.equal((await make()).paths.rootfs, one.paths.rootfs)
  const before = statSync(file)
  writeFileSync(file, 'SHELL') // As long as before, and with the old time.
  utimesSync(file, before.atime, before.mtime)
  const two = await make()
  assert.notEqual(two.paths.rootfs, one.paths.rootfs)
  assert.equal(
    readFileSync(join(two.store.physical(two.paths.rootfs ?? ''), 'usr/bin/sh'), 'utf8'),
    'SHELL',
  )
  assert.deepEqual(said, [])
})

test('says what a store path cannot hold', async t => {
  const { from, make, said } = sources(t, {})
  spawnSync('mkfifo', [join(from, 'rootfs/var/pipe')])
  spawnSync('chmod', ['4755', join(from, 'rootfs/usr/bin/sh')])
  await make()
  assert.match(said.join(), /1 device nodes, sockets or pipes are left out; 1 programs lose setuid/)
})

test('enables units that the root file system ships, and masks any', async t => {
  const build = { enable: ['sshd@a.service'], mask: ['apt.timer'] }
  const { make } = sources(t, {}, build)
  const { etc } = await make()
  assert.equal(
    etc['systemd/system/multi-user.target.wants/sshd@a.service'],
    '-> /usr/lib/systemd/system/sshd@.service',
  )
  assert.equal(etc['systemd/system/apt.timer'], '-> /dev/null')
})

test('without a list every unit that can be is enabled; an empty list is none', async t => {
  const units = {
    'units/web.service': SERVICE,
    'units/helper.service': '[Service]\nExecStart=/bin/true\n',
    'units/each@.service': SERVICE,
    'units/more.socket': '[Install]\nWantedBy=sockets.target\nAlso=web.service\nAlias=m.socket\n',
  }
  const links = (etc: Tree) => Object.keys(etc).filter(name => /wants|m\.socket/.test(name))
  const all = await sources(t, units, { units: 'units' }).make()
  assert.deepEqual(links(all.etc), [
    'systemd/system/m.socket',
    'systemd/system/multi-user.target.wants/web.service',
    'systemd/system/sockets.target.wants/more.socket',
  ])
  const none = await sources(t, units, { units: 'units', enable: [] }).make()
  assert.deepEqual(links(none.etc), [])
})

test('units that name each other by Also= are enabled once', async t => {
  const units = {
    'units/a.service': `${SERVICE}Also=b.socket\n`,
    'units/b.socket': '[Install]\nWantedBy=sockets.target\nAlso=a.service\n',
  }
  const { etc } = await sources(t, units, { units: 'units' }).make()
  assert.deepEqual(
    Object.keys(etc).filter(name => name.includes('wants')),
    [
      'systemd/system/multi-user.target.wants/a.service',
      'systemd/system/sockets.target.wants/b.socket',
    ],
  )
})

const wrong: [name: string, tree: Tree, build: object, message: RegExp][] = [
  [
    'a unit that would be linked outside of what is packed',
    { 'units/a.service': '[Install]\nWantedBy=../../../../../../tmp/x\n' },
    { units: 'units' },
    /"a.service": its WantedBy= names "\.\.\/.*", which is no unit/,
  ],
  ['a unit that nobody has', {}, { enable: ['no.service'] }, /"no.service": neither the units/],
  [
    'enabling what nothing starts',
    { 'units/a.service': '[Service]\n' },
    { units: 'units', enable: ['a.service'] },
    /"a.service": it has no \[Install\] section/,
  ],
  ['a probe that is not JSON', { 'health/a.json': '{' }, { health: 'health' }, /a\.json/],
  [
    'a probe with a key that hosts do not know',
    { 'health/a.json': '{"kind":"tcp","host":"127.0.0.1","port":22,"retries":3}' },
    { health: 'health' },
    /"retries" in .*from\/health\/a\.json: it is not a known key/,
  ],
  [
    'a probe whose program is no package and no path',
    { 'health/a.json': '{"kind":"exec","command":["@web@/bin/check"]}' },
    { health: 'health' },
    /"command" in .*\/a\.json: it is not a program by its absolute path/,
  ],
  [
    'a probe that hosts would not read to its end',
    { 'health/a.json': `{"kind":"unit","unit":"a.service"}${' '.repeat(65_536)}` },
    { health: 'health' },
    /health\/a\.json": it has more than 65536 bytes/,
  ],
  [
    'more probes than hosts run',
    Object.fromEntries(
      Array.from({ length: 65 }, (_, n) => [
        `health/${n}.json`,
        '{"kind":"unit","unit":"a.service"}',
      ]),
    ),
    { health: 'health' },
    /it has 65 probes, and hosts run at most 64/,
  ],
  ['a probe that is a directory', { 'health/a.json/x': '' }, { health: 'health' }, /is no file/],
]
for (const [name, tree, build, message] of wrong) {
  test(`refuses ${name}`, async t => {
    await assert.rejects(sources(t, tree, build).make(), { code: 'config', message })
  })
}

test('with the agent the system starts in a root that holds only the store', async t => {
  needs('nix-store')
  const { make } = sources(t, {}, { agent: { poll: { cron: '* * * * *' } } })
  const { store, system, etc, paths } = await make()
  assert.equal(etc['holdfast/agent.json'], '{\n  "poll": {\n    "cron": "* * * * *"\n  }\n}\n')
  const unit = etc['systemd/system/holdfast-agent.service'] ?? ''
  assert.ok(unit.includes(`ExecStart=${paths.agent}/bin/holdfast-agent run\n`))
  const login = '. "$0"; echo "$PATH"'
  const profile = join(store.physical(paths.etc ?? ''), 'profile.d/holdfast.sh')
  const path = spawnSync('sh', ['-c', login, profile], { encoding: 'utf8', env: { PATH: '/bin' } })
  assert.equal(path.stdout, '/bin:/run/current-system/agent/bin\n', path.stderr)
  assert.ok(existsSync(store.physical(system)))
  assert.equal(store.closure(system).length, 6)
  const verified = spawnSync('nix-store', ['--store', store.root, '--verify', '--check-contents'])
  assert.equal(verified.status, 0, verified.stderr.toString())
  if (process.getuid?.() !== 0) return // Only root may change its root directory.
  const program = `${paths.agent}/bin/holdfast-agent`
  const help = spawnSync('chroot', [store.root, program, '--help'], { encoding: 'utf8' })
  assert.match(help.stdout, /holdfast-agent layout init/, help.stderr)
  mkdirSync(join(store.root, 'proc'))
  const made = spawnSync('chroot', [store.root, `${system}/pre-init`, '-o', 'json'], {
    encoding: 'utf8',
  })
  assert.deepEqual(JSON.parse(made.stdout), { prefix: '/', system }, made.stderr)
  assert.equal(readlinkSync(join(store.root, 'usr')), `${paths.rootfs?.slice(1)}/usr`)
})
