/**
 * Hosts as systemd-nspawn containers, each booted from a directory that holds nothing but a store
 * (and the `usr` link that nspawn demands), with its seed as a systemd credential and a network
 * namespace of its own. All that belongs to a host lies in `<directory>/<name>/`.
 */
import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { StorePath } from '../../agent/codec/documents.ts'
import { HostError, UsageError } from '../../agent/codec/errors.ts'
import { encodeSeed } from '../../agent/codec/seed.ts'
import { syncDirectory, writeDurably } from '../../agent/files/durable.ts'
import { writeImageDirectory } from '../../installer/image-directory.ts'
import {
  firstProcess,
  isHostRunning,
  killHostCgroup,
  makeHostCgroup,
  signalHost,
} from './host-cgroup.ts'
import {
  ensureHostNamespace,
  ensureNetwork,
  networkName,
  removeHostNamespace,
} from './host-network.ts'
import type { HostSpec, ProvidedHost, Provider } from './provider.ts'
import { runProgram } from './run-program.ts'

/** What `host.json` remembers of a host. */
type Record = { name: string; system: StorePath; address: string }

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const HOSTS_MAX = 253
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
    this.#requireNew(name)
    const { subnet } = await ensureNetwork(this.#directory)
    const address = `${subnet}.${this.#freeNumber()}`
    // Made beside its place and renamed, so that a host is there whole or not at all.
    const making = join(this.#directory, `.${name}.new`)
    rmSync(making, { recursive: true, force: true })
    mkdirSync(making, { recursive: true, mode: 0o700 })
    try {
      await writeImageDirectory({ store, system, directory: join(making, 'root') })
      writeFileSync(join(making, 'seed.json'), encodeSeed(seed), { mode: 0o600 })
      writeDurably(join(making, 'host.json'), `${JSON.stringify({ name, system, address })}\n`)
      renameSync(making, this.#folder(name))
    } catch (error) {
      rmSync(making, { recursive: true, force: true })
      throw error
    }
    syncDirectory(this.#directory)
    return this.#describe(this.#record(name))
  }

  async start(name: string): Promise<void> {
    requireRoot(`start host "${name}"`)
    const record = this.#record(name)
    if (isHostRunning(this.#group(name))) return
    await killHostCgroup(this.#group(name)) // Only removes what an earlier run left.
    const network = await ensureNetwork(this.#directory)
    await ensureHostNamespace(network, { namespace: this.#group(name), address: record.address })
    await this.#spawn(record)
  }

  async cutPower(name: string): Promise<void> {
    this.#record(name)
    await killHostCgroup(this.#group(name))
  }

  async stop(name: string, deadlineSeconds: number): Promise<void> {
    this.#record(name)
    // nspawn answers SIGTERM by asking the first process inside to power off.
    signalHost(this.#group(name), 'systemd-nspawn', 'SIGTERM')
    for (let waited = 0; waited < deadlineSeconds * 10; waited++) {
      if (!isHostRunning(this.#group(name))) break
      await setTimeout(100)
    }
    await killHostCgroup(this.#group(name))
  }

  async execute(name: string, words: string[]): Promise<string> {
    this.#record(name)
    const first = firstProcess(join(this.#group(name), 'payload/init.scope'))
    if (first === undefined) {
      throw new HostError('boot', `Cannot run "${words.join(' ')}" in host "${name}": it is off`, {
        next: `Run holdfast start host ${name}`,
      })
    }
    const path = 'PATH=/run/current-system/sw/bin:/usr/sbin:/usr/bin'
    const enter = ['--target', String(first), '--all', '--', '/usr/bin/env', '-i', path, ...words]
    return await runProgram('nsenter', enter, { anyExit: true })
  }

  async read(name: string): Promise<ProvidedHost | undefined> {
    return this.#exists(name) ? this.#describe(this.#record(name)) : undefined
  }

  async list(): Promise<ProvidedHost[]> {
    return this.#names().map(name => this.#describe(this.#record(name)))
  }

  async destroy(name: string): Promise<void> {
    requireRoot(`destroy host "${name}"`)
    this.#record(name)
    await killHostCgroup(this.#group(name))
    await removeHostNamespace(this.#group(name))
    rmSync(this.#folder(name), { recursive: true, force: true })
  }

  async #spawn(record: Record): Promise<void> {
    const log = join(this.#folder(record.name), 'console.log')
    const output = openSync(log, 'a', 0o600)
    // The shell enters the host's control group and then becomes nspawn.
    const enter = makeHostCgroup(this.#group(record.name)).map(file => `echo $$ > ${file}`)
    const script = [...enter, 'exec systemd-nspawn "$@"'].join(' && ')
    const child = spawn('sh', ['-c', script, 'sh', ...this.#nspawnWords(record)], {
      detached: true,
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    child.unref()
    for (let waited = 0; waited < START_MS_MAX; waited += 50) {
      if (child.exitCode !== null) break
      if (isHostRunning(join(this.#group(record.name), 'payload'))) return
      await setTimeout(50)
    }
    await killHostCgroup(this.#group(record.name))
    throw new HostError('boot', `Cannot start host "${record.name}": ${lastLine(log)}`, {
      next: `Read ${log}`,
    })
  }

  #nspawnWords({ name, system }: Record): string[] {
    const root = join(this.#folder(name), 'root')
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
      `--load-credential=holdfast.seed:${join(this.#folder(name), 'seed.json')}`,
      committedInit(root) ?? `${system}/init`,
    ]
  }

  #describe({ name, address }: Record): ProvidedHost {
    const root = join(this.#folder(name), 'root')
    return { name, provider: this.name, address, root, running: isHostRunning(this.#group(name)) }
  }

  #record(name: string): Record {
    if (!this.#exists(name)) {
      throw new UsageError('no-host', `Cannot find host "${name}": the nspawn provider has none`)
    }
    return JSON.parse(readFileSync(join(this.#folder(name), 'host.json'), 'utf8')) as Record
  }

  #requireNew(name: string): void {
    if (!NAME.test(name)) {
      const what = 'a name has lower-case letters, digits and hyphens, at most 63'
      throw new UsageError('usage', `Cannot create host "${name}": ${what}`)
    }
    if (this.#exists(name)) {
      throw new UsageError('host-exists', `Cannot create host "${name}": it exists`, {
        next: `Run holdfast destroy host ${name} first`,
      })
    }
  }

  #freeNumber(): number {
    const taken = new Set(
      this.#names().map(name => Number(this.#record(name).address.split('.')[3])),
    )
    for (let number = 2; number < HOSTS_MAX + 2; number++) if (!taken.has(number)) return number
    throw new HostError('network', `Cannot create a host: all ${HOSTS_MAX} addresses are taken`)
  }

  #names(): string[] {
    if (!existsSync(this.#directory)) return []
    return readdirSync(this.#directory)
      .filter(name => NAME.test(name) && this.#exists(name))
      .sort()
  }

  #exists(name: string): boolean {
    return NAME.test(name) && existsSync(join(this.#folder(name), 'host.json'))
  }

  #folder(name: string): string {
    return join(this.#directory, name)
  }

  /** The name of the host's control group and network namespace, unlike that of any other project. */
  #group(name: string): string {
    return `${networkName(this.#directory)}-${name}`
  }
}

/** After the first boot the committed generation decides what starts, as a boot loader entry would. */
function committedInit(root: string): string | undefined {
  const profile = '/nix/var/nix/profiles/system'
  return lstatSync(join(root, profile), { throwIfNoEntry: false }) ? `${profile}/init` : undefined
}

function lastLine(log: string): string {
  const text = readFileSync(log, 'utf8').trim()
  return text === '' ? 'it ended without a word' : text.slice(text.lastIndexOf('\n') + 1)
}

function requireRoot(what: string): void {
  if (process.getuid?.() !== 0)
    throw new UsageError('not-root', `Cannot ${what}: nspawn needs root`)
}
