import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentConfig } from '../codec/agent-config.ts'
import type { Seed } from '../codec/documents.ts'
import { HostError, messageOf } from '../codec/errors.ts'
import type { Reporter } from '../codec/report.ts'
import { syncDirectory, writeDurably } from '../files/durable.ts'
import { openSource } from '../source/open-source.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { lockAgent } from './agent-lock.ts'
import { Journal, type WriteFile } from './journal.ts'
import { type Log, openLog } from './log.ts'
import { type Places, placesOf } from './places.ts'
import { Poller } from './poller.ts'
import { openReporter } from './reporter.ts'
import { readConfig, readSeed } from './settings.ts'
import { TrustFiles } from './trust-files.ts'

/** Everything one agent works with, put together in one place. */
export type Parts = {
  places: Places
  seed: Seed
  config: AgentConfig
  log: Log
  store: Store
  journal: Journal
  trust: TrustFiles
  poller: Poller
  reporter: Reporter
  now: () => number
  random: () => number
  /** Lets go of the lock and the store. */
  close: () => Promise<void>
}

export type PartsOptions = {
  prefix: string
  configFile?: string
  seedFile?: string
  /** Stdout is for data, so the log goes to stderr. */
  logToStderr?: boolean
  /** How bytes become durable; tests cut the power in it. */
  write?: WriteFile
}

/** Errors: UsageError `config`; HostError `state-busy`, `floor`, `store-schema`. */
export function openParts(options: PartsOptions): Parts {
  const places = placesOf(options.prefix)
  const config = readConfig(places, options.configFile)
  const seed = readSeed(places, options.seedFile)
  makeDirectories(places)
  const unlock = lockAgent(places.lock)
  try {
    const log = openLog(config.log.level, { host: seed.host }, options.logToStderr ? 2 : 1)
    return assemble({ places, config, seed, log, unlock }, options.write ?? writeDurably)
  } catch (error) {
    unlock()
    throw error
  }
}

type Ground = Pick<Parts, 'places' | 'config' | 'seed' | 'log'> & { unlock: () => void }

function assemble({ places, config, seed, log, unlock }: Ground, writeFile: WriteFile): Parts {
  const now = Date.now
  const random = Math.random
  const write = stateWriter(writeFile)
  const trust = new TrustFiles(places.state, seed.root.version, write)
  const sources = (config.sources ?? seed.sources).map(source =>
    openSource(source, { scratch: places.scratch }),
  )
  const store = openStore(places.prefix)
  const reporter = openReporter({
    seed,
    stateDirectory: places.state,
    log: log as { info: (fields: object) => void; warn: (fields: object) => void },
    intervalSeconds: config.report.intervalSeconds,
    storePath: join(places.prefix, 'nix/store'),
  })
  return {
    places,
    seed,
    config,
    log,
    store,
    journal: new Journal(places.state, write),
    trust,
    poller: new Poller({ seed, sources, trust, log, now, random }),
    reporter,
    now,
    random,
    async close() {
      await reporter.close()
      store.close()
      unlock()
    },
  }
}

/** A state that cannot be written is this host's fault, and never a release's. */
function stateWriter(write: WriteFile): WriteFile {
  return (path, bytes) => {
    try {
      write(path, bytes)
    } catch (cause) {
      if (!(cause instanceof Error && 'syscall' in cause)) throw cause
      const message = `Cannot write "${path}": ${messageOf(cause)}`
      throw new HostError('state-write', message, { cause })
    }
  }
}

/** What the sources left behind when the power went is of no use to anybody. */
function makeDirectories({ state, run, scratch }: Places): void {
  if (mkdirSync(state, { recursive: true, mode: 0o700 }) !== undefined)
    syncDirectory(dirname(state))
  mkdirSync(run, { recursive: true, mode: 0o700 })
  chmodSync(run, 0o700) // The boot id may have made it, for everybody.
  rmSync(scratch, { recursive: true, force: true })
}
