import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command, Invocation } from '../../agent/cli/command.ts'
import type { Seed, StorePath } from '../../agent/codec/documents.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { openStore } from '../../agent/store/open-store.ts'
import type { Store } from '../../agent/store/store.ts'
import { readLayout } from '../../agent/system/layout-file.ts'
import type { Project } from '../../installer/project.ts'
import { resolveSystem } from '../../installer/resolve-system.ts'
import { trustedRoots } from '../../installer/root-files.ts'
import { requireNewHost } from '../providers/host-folders.ts'
import { openProvider } from '../providers/open-provider.ts'
import type { Provider } from '../providers/provider.ts'
import { connect, connectionHelp, connectionOptions } from './connection.ts'
import { hostHelp, hostOptions, hostsDirectory, hostWord, projectOf } from './host-options.ts'

export const createHost: Command = {
  words: ['create', 'host'],
  args: 'NAME --system=SYSTEM',
  summary: 'Make a host from nothing but the closure of a system, and start it',
  options: {
    ...connectionOptions,
    ...hostOptions,
    provider: { type: 'string', default: 'nspawn' },
    system: { type: 'string' },
    'no-start': { type: 'boolean' },
  },
  optionHelp: {
    ...connectionHelp,
    ...hostHelp,
    provider: 'What the host runs on: nspawn (default) or plain',
    system: 'A store path of the project store, or a link to one',
    'no-start': 'Leave it switched off',
  },
  run,
}

async function run(invocation: Invocation) {
  const name = hostWord(invocation, 'create')
  const project = projectOf(invocation)
  const directory = hostsDirectory(project)
  const provider = openProvider(String(invocation.values.provider), directory)
  const wanted = wantedSystem(invocation)
  // Before the controller makes a join token that nobody would use.
  requireNewHost(directory, name)
  requireSources(project)
  const store = openStore(project.store, { readOnly: true })
  try {
    const system = resolveSystem(wanted, store)
    requireBootable(provider, store, system)
    const seed = await makeSeed(invocation, project, name)
    invocation.say(`copying the closure of ${system}`)
    await provider.create({ name, system, store, seed })
  } finally {
    store.close()
  }
  if (invocation.values['no-start'] !== true) await provider.start(name)
  const host = await provider.read(name)
  invocation.print(
    invocation.json
      ? host
      : `${name} ${host?.running ? `runs at ${host.address}` : 'is made, and off'}`,
  )
  return 0 as const
}

function wantedSystem({ values }: Invocation): string {
  if (typeof values.system === 'string') return values.system
  throw new UsageError('usage', 'Cannot create a host: it needs --system', {
    next: 'Build one with holdfast build, then give its store path or result link',
  })
}

/** A container needs an init, and systems for plain services have none. */
function requireBootable(provider: Provider, store: Store, system: StorePath): void {
  if (provider.name === 'plain' || !existsSync(join(store.physical(system), 'layout.json'))) return
  if (readLayout(store.root, system).rootfs !== undefined) return
  const is = 'it has no root file system to boot'
  throw new UsageError('usage', `Cannot create a host of "${system}": ${is}`, {
    next: 'Add --provider=plain, or "rootfs" to the build file',
  })
}

/** Without one a host would never hear of a release, and nobody could tell it later. */
function requireSources({ sources, file }: Project): void {
  if (sources.length > 0) return
  throw new UsageError('config', `Cannot create a host: "${file}" names no "sources" to read`, {
    next: 'Add what hosts read, such as "sources": [{ "http": "http://cache.example.org" }]',
  })
}

/** The pin is the newest root; a fleet without a controller makes hosts that only converge. */
async function makeSeed(invocation: Invocation, project: Project, host: string): Promise<Seed> {
  const { fleet, channel, sources, controller } = project
  const { root, digest } = trustedRoots(project.root)
  const pin = { version: root.version, sha256: digest }
  const seed: Seed = { fleet, host, channel, root: pin, sources }
  if (controller === undefined) return seed
  const { token } = await (await connect(invocation)).makeToken({ host, uses: 1 })
  return { ...seed, controller: { url: controller.url, token } }
}
