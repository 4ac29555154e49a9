import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openStore } from '../../../agent/store/open-store.ts'
import { destroyHost } from '../../../controller/commands/change-host.ts'
import { createHost } from '../../../controller/commands/create-host.ts'
import { buildSystem } from '../../../installer/build.ts'
import { readBuildFile } from '../../../installer/build-file.ts'
import { writeSigned } from '../../../installer/root-files.ts'
import { firstRoot } from '../../support/fleet.ts'
import { ranCommand } from '../../support/run-command.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { writeTree } from '../../support/trees.ts'
import { start } from './program.ts'

/** Tries to make a plain host in a project with these fields more. */
async function tried(t: TestContext, name: string, fields: object, hosts: string[] = []) {
  const directory = temporaryDirectory(t)
  openStore(join(directory, 'store')).close()
  const file = join(directory, 'holdfast.json')
  writeFileSync(file, JSON.stringify({ fleet: 'home', channel: 'prod', ...fields }))
  for (const host of hosts) {
    mkdirSync(join(directory, '.holdfast/hosts', host), { recursive: true })
    writeFileSync(join(directory, '.holdfast/hosts', host, 'host.json'), '{}')
  }
  const words = ['create', 'host', name, '--provider=plain', '--system=web', `--project=${file}`]
  const ran = await ranCommand([createHost], words)
  assert.equal(ran.exit, 2)
  assert.equal(ran.stdout, '')
  assert.ok(!existsSync(join(directory, '.holdfast/hosts', name)) || hosts.includes(name))
  return ran.stderr
}

test('a host that never started is destroyed without a doubt about the controller', async t => {
  const state = join(temporaryDirectory(t), 'state')
  const url = await start(t, 'controller', `--state=${state}`, '--listen=127.0.0.1:0').line
  const tokenFile = join(state, 'operator.token')
  const { system, file } = await project(t, { controller: { url, tokenFile } })
  const words = ['host', 'app1', `--project=${file}`]
  const make = ['create', ...words, '--provider=plain', '--no-start', `--system=${system}`]
  const made = await ranCommand([createHost], make)
  assert.equal(made.stdout, 'app1 is made, and off\n', made.stderr)
  const gone = await ranCommand([destroyHost], ['destroy', ...words])
  assert.deepEqual(gone, { exit: 0, stdout: 'app1 is gone\n', stderr: '' })
})

test('a system without a root file system is not made a container of', async t => {
  const { directory, system, file } = await project(t, {})
  const words = ['create', 'host', 'web1', `--system=${system}`, `--project=${file}`]
  const { exit, stderr } = await ranCommand([createHost], words)
  assert.equal(exit, 2)
  assert.match(stderr, /it has no root file system to boot \[usage\]\n {2}Add --provider=plain/)
  assert.ok(!existsSync(join(directory, '.holdfast')))
})

/** A project with a root of trust and a system of plain services. */
async function project(t: TestContext, fields: object) {
  const directory = temporaryDirectory(t)
  const from = writeTree(join(directory, 'from'), { 'build.json': '{"name":"app","agent":false}' })
  const store = openStore(join(directory, 'store'))
  const build = readBuildFile(join(from, 'build.json'))
  const { system } = await buildSystem({ store, build })
  store.close()
  mkdirSync(join(directory, 'root'))
  writeSigned(join(directory, 'root/1.json'), firstRoot)
  const file = join(directory, 'holdfast.json')
  writeFileSync(file, JSON.stringify({ fleet: 'demo', channel: 'prod', sources, ...fields }))
  return { directory, system, file }
}

const sources = [{ directory: '/srv/fleet' }]

test('a host without sources is not made: it would never hear of a release', async t => {
  const said = await tried(t, 'web1', {})
  assert.match(
    said,
    /^holdfast: Cannot create a host: ".*" names no "sources" to read \[config\]\n/,
  )
  assert.match(said, /"sources": \[\{ "http"/)
})

test('a name that cannot be is refused before the controller is asked for a token', async t => {
  const controller = { url: 'http://127.0.0.1:1', tokenFile: './none' }
  const taken = await tried(t, 'web1', { sources, controller }, ['web1'])
  assert.match(taken, /Cannot create host "web1": it exists \[host-exists\]/)
  const wrong = await tried(t, 'Web_1', { sources, controller })
  assert.match(wrong, /Cannot create host "Web_1": a name has lower-case .* \[usage\]/)
})
