import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { fetchClosure } from '../../agent/store/fetch-closure.ts'
import { openStore } from '../../agent/store/open-store.ts'
import { realise } from '../../agent/store/realise.ts'
import { publish } from '../../installer/commands/publish.ts'
import { nixOracle } from '../support/nix-oracle.ts'
import { makeProject } from '../support/project.ts'
import { ranCommand } from '../support/run-command.ts'

const EXPRESSION = `
  let make = name: needs: derivation {
    inherit name needs;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo $needs $out > $out" ];
  }; in make "nixos-system" [ (make "kernel" []) (make "etc" []) ]`

test('publishes a system that real Nix built, which a host fetches whole', async t => {
  const project = await makeProject(t)
  const nix = nixOracle(project.directory)
  const system = nix.build(EXPRESSION)
  const cache = pathToFileURL(join(project.directory, 'cache')).href
  project.configure({ store: nix.root, cache: { directory: 'cache', urls: [cache] } })
  const words = ['publish', `--project=${project.file}`, `web1=${system}`, '-o', 'json']
  const { exit, stderr } = await ranCommand([publish], words)
  assert.equal(exit, 0, stderr)

  const { signal } = new AbortController()
  const release = readFileSync(join(project.directory, 'cache/prod/release.json'), 'utf8')
  const target = JSON.parse(release).hosts.web1
  assert.equal(target.system, system)
  const wanted = { digest: target.closure, size: target.closureSize, caches: [cache], signal }
  const { closure } = await fetchClosure(wanted)
  const host = join(project.directory, 'host')
  mkdirSync(host)
  const store = openStore(host)
  t.after(() => store.close())
  await realise({ store, closure, caches: [cache], signal, reserveBytes: 0 })
  assert.equal(store.closure(system).length, 3)
  const text = readFileSync(store.physical(system), 'utf8')
  assert.equal(text, readFileSync(join(nix.root, system), 'utf8'))
})
