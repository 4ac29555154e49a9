/**
 * Hosts as systemd-nspawn containers, each booted from a directory that holds nothing but a store
 * (and the `usr` link that nspawn demands), with its seed as a systemd credential and a network
 * namespace of its own.
 */
import { spawn } from 'node:child_process'
import { closeSync, lstatSync, openSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { HostError, UsageError } from '../../agent/codec/errors.ts'
import { encodeSeed } from '../../agent/codec/seed.ts'
import { writeImageDirectory } from '../../installer/image-directory.ts'
import {
  firstProcess,
  isHostRunning,
  killHostCgroup,
  makeHostCgroup,
  signalHost,
} from './host-cgroup.ts'
import {
  type HostRecord,
  hostExists,
  hostFolder,
  hostNames,
  lastLine,
  makeHost,
  readHost,
  removeHost,
  requireNewHost,
} from './host-folders.ts'
import {
  claimAddress,
  ensureHostNamespace,
  ensureNetwork,
  networkName,
  releaseAddress,
  removeHostNamespace,
} from './host-network.ts'
import type { HostSpec, ProvidedHost, Provider } from './provider.ts'
import { runProgram } from './run-program.ts'

const START_MS_MAX = 15_000

/** Hosts under `directory`, which is made when it is not there. Needs root. */
export function openNspawnProvider(directory: string): Provider {
  return new NspawnProvider(resolve(directory))
}

class NspawnProvider implements Provider {
  readonly name = 'nspawn'
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  async create({ name, system, store, seed }: HostSpec): Promise<ProvidedHost> {
    requireRoot(`create host "${name}"`)
    requireNewHost(this.#directory, name)
    const { subnet } = await ensureNetwork(this.#directory)
    const address = claimAddress(this.#directory, subnet)
    const record = { name, provider: this.name, system, address }
    try {
      await makeHost(this.#directory, record, async making => {
        writeImageDirectory({ store, system, directory: making.root })
        writeFileSync(making.seed, encodeSeed(seed), { mode: 0o600 })
      })
    } catch (error) {
      releaseAddress(this.#directory, address)
      throw error
    }
    return this.#describe(record)
  }

  async start(name: string): Promise<void> {
    requireRoot(`start host "${name}"`)
    const { address, ...record } = readHost(this.#directory, name)
    const group = this.#group(name)
    if (isHostRunning(group)) return
    await killHostCgroup(group) // Only removes what an earlier run left.
    const network = await ensureNetwork(this.#directory)
    await ensureHostNamespace(network, { namespace: group, address })
    await this.#spawn({ address, ...record })
  }

  async cutPower(name: string): Promise<void> {
    readHost(this.#directory, name)
    await killHostCgroup(this.#group(name))
  }

  async stop(name: string, deadlineSeconds: number): Promise<void> {
    readHost(this.#directory, name)
    for (let waited = 0; waited < deadlineSeconds * 10; waited++) {
      if (!isHostRunning(this.#group(name))) break
      // nspawn answers SIGTERM by asking the first process inside to power off; said again every
      // second, since one that has only just been started does not listen yet.
      if (waited % 10 === 0) signalHost(this.#group(name), 'systemd-nspawn', 'SIGTERM')
      await setTimeout(100)
    }
    await killHostCgroup(this.#group(name))
  }

  async execute(name: string, words: string[]): Promise<string> {
    readHost(this.#directory, name)
    const payload = join(this.#group(name), 'payload')
    // Systemd moves itself into its own scope; before that, it is the first of the payload.
    const first = firstProcess(join(payload, 'init.scope')) ?? firstProcess(payload)
    if (first === undefined) {
      throw new HostError('boot', `Cannot run "${words.join(' ')}" in host "${name}": it is off`, {
        next: `Run holdfast start host ${name}`,
      })
    }
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin'
    // Its root directory too: that is not its mount namespace's own where we are in a chroot.
    const enter = ['--target', String(first), '--all', '--root', '--wd']
    const all = [...enter, '--', '/usr/bin/env', '-i', path, ...words]
    return await runProgram('nsenter', all, { anyExit: true })
  }

  async read(name: string): Promise<ProvidedHost | undefined> {
    if (!hostExists(this.#directory, name)) return undefined
    return this.#describe(readHost(this.#directory, name))
  }

  async list(): Promise<ProvidedHost[]> {
    return hostNames(this.#directory).map(name => this.#describe(readHost(this.#directory, name)))
  }

  async destroy(name: string): Promise<void> {
    requireRoot(`destroy host "${name}"`)
    const { address } = readHost(this.#directory, name)
    await killHostCgroup(this.#group(name))
    await removeHostNamespace(this.#group(name))
    removeHost(this.#directory, name)
    releaseAddress(this.#directory, address)
  }

  async #spawn(record: HostRecord): Promise<void> {
    const { log } = hostFolder(this.#directory, record.name)
    const group = this.#group(record.name)
    const output = openSync(log, 'a', 0o600)
    // The shell enters the host's control group and then becomes nspawn.
    const enter = makeHostCgroup(group).map(file => `echo $$ > ${file}`)
    const script = [...enter, 'exec systemd-nspawn "$@"'].join(' && ')
    const child = spawn('sh', ['-c', script, 'sh', ...this.#nspawnWords(record)], {
      detached: true,
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    child.unref()
    for (let waited = 0; waited < START_MS_MAX; waited += 50) {
      if (child.exitCode !== null) break
      if (isHostRunning(join(group, 'payload'))) return
      await setTimeout(50)
    }
    await killHostCgroup(group)
    throw new HostError('boot', `Cannot start host "${record.name}": ${lastLine(log)}`, {
      next: `Read ${log}`,
    })
  }

  #nspawnWords({ name, system }: HostRecord): string[] {
    const { root, seed } = hostFolder(this.#directory, name)
    return [
      '--quiet',
      '--register=no',
      '--keep-unit',
      '--link-journal=no',
      '--resolv-conf=off',
      '--timezone=off',
      '--console=pipe',
      '--kill-signal=SIGRTMIN+3',
      `--directory=${root}`,
      `--machine=${name}`,
      `--network-namespace-path=/run/netns/${this.#group(name)}`,
      `--load-credential=holdfast.seed:${seed}`,
      committedInit(root) ?? `${system}/init`,
    ]
  }

  #describe({ name, address }: HostRecord): ProvidedHost {
    const { root } = hostFolder(this.#directory, name)
    return { name, provider: this.name, address, root, running: isHostRunning(this.#group(name)) }
  }

  /** The host's control group and network namespace, named unlike those of any other project. */
  #group(name: string): string {
    return `${networkName(this.#directory)}-${name}`
  }
}

/**
 * After the first boot the committed generation decides what starts, as a boot loader entry would.
 */
function committedInit(root: string): string | undefined {
  const profile = '/nix/var/nix/profiles/system'
  return lstatSync(join(root, profile), { throwIfNoEntry: false }) ? `${profile}/init` : undefined
}

function requireRoot(what: string): void {
  if (process.getuid?.() === 0) return
  throw new UsageError('not-root', `Cannot ${what}: nspawn needs root`)
}
