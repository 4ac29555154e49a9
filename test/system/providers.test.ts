/** One contract for every provider that runs hosts on this machine. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { Seed } from '../../agent/codec/documents.ts'
import { openStore } from '../../agent/store/open-store.ts'
import { removeTree } from '../../agent/store/staging.ts'
import type { Store } from '../../agent/store/store.ts'
import { removeNetwork } from '../../controller/providers/host-network.ts'
import { openNspawnProvider } from '../../controller/providers/nspawn.ts'
import { openPlainProvider } from '../../controller/providers/plain.ts'
import type { HostSpec, Provider } from '../../controller/providers/provider.ts'
import { buildSystem } from '../../installer/build.ts'
import { readBuildFile } from '../../installer/build-file.ts'
import { debianRootfs } from '../support/debian-rootfs.ts'
import { needs } from '../support/needs.ts'
import { until } from '../support/until.ts'

const top = join(import.meta.dirname, '../..')
const seed: Seed = {
  fleet: 'test',
  host: 'web1',
  channel: 'prod',
  root: { version: 1, sha256: '0'.repeat(64) },
  sources: [{ directory: '/nowhere' }],
}

type Bench = { provider: Provider; spec: HostSpec; directory: string }
type Kind = { name: string; open: (directory: string) => Provider; file: () => Promise<object> }

const kinds: Kind[] = [
  {
    name: 'nspawn',
    open: openNspawnProvider,
    file: async () => ({ rootfs: await debianRootfs(), services: 'systemd' }),
  },
  {
    name: 'plain',
    open: directory => openPlainProvider(directory, [process.execPath, `${top}/agent/main.ts`]),
    file: async () => ({ services: 'plain', agent: false }),
  },
]

type Built = { store: Store; system: string }

async function bench(t: TestContext, { open }: Kind, built: Built): Promise<Bench> {
  // Its own end, not temporaryDirectory's: hosts and network go before the folder does.
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const provider = open(join(directory, 'hosts'))
  t.after(async () => {
    for (const { name } of await provider.list()) await provider.destroy(name)
    await removeNetwork(join(directory, 'hosts'))
    removeTree(directory)
  })
  return { provider, spec: { name: 'web1', ...built, seed }, directory }
}

async function makeSystem(directory: string, store: Store, extra: object): Promise<string> {
  mkdirSync(join(directory, 'etc'))
  writeFileSync(join(directory, 'etc/motd'), 'hello\n')
  const file = join(directory, 'build.json')
  writeFileSync(file, JSON.stringify({ name: 'web', etc: 'etc', ...extra }))
  const agentMain = join(top, 'test/support/layout-agent.ts')
  return (await buildSystem({ store, build: readBuildFile(file), agentMain })).system
}

before(() => {
  needs('systemd-nspawn', 'mmdebstrap', 'ip')
  assert.equal(process.getuid?.(), 0, 'this test boots containers: run it as root')
})

for (const kind of kinds) {
  describe(`provider ${kind.name}`, () => {
    const home = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
    let built: Built
    before(async () => {
      const store = openStore(join(home, 'store'))
      built = { store, system: await makeSystem(home, store, await kind.file()) }
    })
    after(() => {
      built.store.close()
      removeTree(home)
    })

    it('creates, starts, stops, cuts off and destroys a host', async t => {
      const { provider, spec, directory } = await bench(t, kind, built)
      const made = await provider.create(spec)
      assert.deepEqual([made.name, made.provider, made.running], ['web1', kind.name, false])
      assert.deepEqual(readdirSync(join(made.root, 'nix')).includes('store'), true)
      await provider.start('web1')
      await provider.start('web1') // Again changes nothing.
      assert.equal((await provider.read('web1'))?.running, true)
      assert.match(await provider.execute('web1', ['echo', 'inside']), /inside/)
      await until(() => fileSays(made.root, 'var/lib/holdfast/seed.json', '"web1"'))
      await provider.cutPower('web1')
      assert.equal((await provider.read('web1'))?.running, false)
      await provider.start('web1')
      await provider.stop('web1', 20)
      assert.equal((await provider.read('web1'))?.running, false)
      await provider.destroy('web1')
      assert.equal(await provider.read('web1'), undefined)
      assert.deepEqual(leftovers(join(directory, 'hosts')), [])
    })

    it('gives two hosts that are created at once their own places', async t => {
      const { provider, spec } = await bench(t, kind, built)
      const both = ['web1', 'web2'].map(name => provider.create({ ...spec, name }))
      const made = await Promise.all(both)
      assert.equal(new Set(made.map(host => host.root)).size, 2)
      if (kind.name === 'nspawn') assert.equal(new Set(made.map(host => host.address)).size, 2)
      assert.deepEqual(
        (await provider.list()).map(host => host.name),
        ['web1', 'web2'],
      )
    })

    it('refuses what cannot be, and leaves nothing half-made', async t => {
      const { provider, spec, directory } = await bench(t, kind, built)
      for (const name of ['', '.', '..', 'a/b', 'Web', '-a', 'x'.repeat(64)]) {
        await assert.rejects(provider.create({ ...spec, name }), { code: 'usage' })
      }
      const missing = { ...spec, system: `/nix/store/${'0'.repeat(32)}-gone` }
      await assert.rejects(provider.create(missing))
      assert.deepEqual(leftovers(join(directory, 'hosts')), [])
      await provider.create(spec)
      await assert.rejects(provider.create(spec), { code: 'host-exists' })
      for (const act of ['start', 'cutPower', 'destroy'] as const) {
        await assert.rejects(provider[act]('web9'), { code: 'no-host' })
      }
    })
  })
}

function fileSays(root: string, path: string, text: string): boolean {
  try {
    return readFileSync(join(root, path), 'utf8').includes(text)
  } catch {
    return false
  }
}

/** What is left of hosts; the network's own file stays until the network is removed. */
function leftovers(hosts: string): string[] {
  const kept = readdirSync(hosts).filter(name => !['network.json', '.addresses'].includes(name))
  const claims = readdirSync(hosts).includes('.addresses') ? join(hosts, '.addresses') : undefined
  return [...kept, ...(claims === undefined ? [] : readdirSync(claims))]
}
