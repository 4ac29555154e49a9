/**
 * Hosts as plain directories, for machines where containers cannot be had: the agent with
 * `--prefix`, services as processes started from the host's own store. No systemd, no isolation, no
 * network of their own; everything else is the real thing.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { HostError } from '../../agent/codec/errors.ts'
import { encodeSeed } from '../../agent/codec/seed.ts'
import { writeImageDirectory } from '../../installer/image-directory.ts'
import {
  hostExists,
  hostFolder,
  hostNames,
  lastLine,
  makeHost,
  readHost,
  removeHost,
  requireNewHost,
} from './host-folders.ts'
import type { HostSpec, ProvidedHost, Provider } from './provider.ts'
import { runProgram } from './run-program.ts'

const START_MS_MAX = 15_000
const KILL_ROUNDS_MAX = 100

/** Hosts under `directory`; `agent` are the words that start `holdfast-agent`. */
export function openPlainProvider(directory: string, agent: string[]): Provider {
  return new PlainProvider(resolve(directory), agent)
}

class PlainProvider implements Provider {
  readonly name = 'plain'
  readonly #directory: string
  readonly #agent: string[]

  constructor(directory: string, agent: string[]) {
    this.#directory = directory
    this.#agent = agent
  }

  async create({ name, system, store, seed }: HostSpec): Promise<ProvidedHost> {
    requireNewHost(this.#directory, name)
    const record = { name, provider: this.name, system, address: '127.0.0.1' }
    await makeHost(this.#directory, record, async making => {
      writeImageDirectory({ store, system, directory: making.root })
      const state = join(making.root, 'var/lib/holdfast')
      mkdirSync(state, { recursive: true, mode: 0o700 })
      writeFileSync(join(state, 'seed.json'), encodeSeed(seed), { mode: 0o600 })
    })
    return this.#describe(name)
  }

  async start(name: string): Promise<void> {
    const { system } = readHost(this.#directory, name)
    if (this.#running(name)) return
    const { root, log } = hostFolder(this.#directory, name)
    const output = openSync(log, 'a', 0o600)
    const words = ['layout', 'boot', '--prefix', root, '--system', system]
    const [program = '', ...rest] = [...this.#agent, ...words]
    const child = spawn(program, rest, {
      detached: true,
      stdio: ['ignore', output, output],
      // Inherited by all that the host starts: it is how they are found when the power is cut.
      env: { ...process.env, HOLDFAST_PREFIX: root },
    })
    closeSync(output)
    const booted = new Promise<number | null>((ended, failed) => {
      child.once('exit', ended).once('error', failed)
    })
    const slow = setTimeout(START_MS_MAX, null, { ref: false })
    if ((await Promise.race([booted, slow])) === 0) return
    await this.cutPower(name)
    throw new HostError('boot', `Cannot start host "${name}": ${lastLine(log)}`, {
      next: `Read ${log}`,
    })
  }

  async cutPower(name: string): Promise<void> {
    const { root } = hostFolder(this.#directory, name)
    readHost(this.#directory, name)
    for (let round = 0; round < KILL_ROUNDS_MAX; round++) {
      const ids = processesOf(root)
      if (ids.length === 0) return
      for (const id of ids) kill(id)
      await setTimeout(20)
    }
  }

  async stop(name: string): Promise<void> {
    await this.cutPower(name)
  }

  async execute(name: string, words: string[]): Promise<string> {
    readHost(this.#directory, name)
    const { root } = hostFolder(this.#directory, name)
    const environment = [`HOLDFAST_PREFIX=${root}`]
    return await runProgram('env', [...environment, ...words], { anyExit: true })
  }

  async read(name: string): Promise<ProvidedHost | undefined> {
    return hostExists(this.#directory, name) ? this.#describe(name) : undefined
  }

  async list(): Promise<ProvidedHost[]> {
    return hostNames(this.#directory).map(name => this.#describe(name))
  }

  async destroy(name: string): Promise<void> {
    await this.cutPower(name)
    removeHost(this.#directory, name)
  }

  #describe(name: string): ProvidedHost {
    const { address } = readHost(this.#directory, name)
    const { root } = hostFolder(this.#directory, name)
    return { name, provider: this.name, address, root, running: this.#running(name) }
  }

  #running(name: string): boolean {
    return processesOf(hostFolder(this.#directory, name).root).length > 0
  }
}

/** The processes that were started for the root, by the environment that they inherited. */
function processesOf(root: string): number[] {
  const mark = `\0HOLDFAST_PREFIX=${root}\0`
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(name => environmentOf(name).includes(mark))
    .map(Number)
}

function environmentOf(id: string): string {
  try {
    return `\0${readFileSync(`/proc/${id}/environ`, 'latin1')}\0`
  } catch {
    return '' // It ended just now, or it is another user's.
  }
}

function kill(id: number): void {
  try {
    process.kill(id, 'SIGKILL')
  } catch {
    // It ended just now.
  }
}
