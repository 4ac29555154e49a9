import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { agentCommand } from './agent-command.ts'
import {
  type PlainRecord,
  readRecord,
  readRecords,
  removeRecord,
  serviceFolder,
  stateOf,
} from './plain-record.ts'
import { runReload } from './plain-reload.ts'
import { plainUnit } from './plain-unit.ts'
import { identify, isAlive, type ProcessIdentity, signalProcess } from './process-identity.ts'
import {
  AGENT_UNIT,
  type LoadedUnit,
  type ServiceManager,
  type UnitFailure,
} from './service-manager.ts'
import { unitType } from './unit-files.ts'
import { findUnit, readUnitTree, type UnitTree } from './unit-tree.ts'

/** Reached by the services of a root that nothing has booted: there is nothing else to reach. */
const TARGETS = ['basic.target', 'multi-user.target', 'default.target']

/** As systemd's DefaultTimeoutStartSec=. */
const START_MS_MAX = 90_000
const POLL_MS = 10

export type PlainOptions = {
  prefix: string
  /** Starts the agent's program, to supervise a service; this program itself by default. */
  command?: readonly string[]
}

/**
 * Services as processes, for roots that are plain directories: each under a supervisor of its own
 * that outlives the agent. Only `.service` units, simple and oneshot; everything else is ignored.
 */
export function plainServices({ prefix, command = agentCommand() }: PlainOptions): ServiceManager {
  let tree: UnitTree | undefined
  const units = () => {
    tree ??= readUnitTree(prefix, ['/etc/systemd/system'])
    return tree
  }
  const start = (name: string) => startService({ prefix, command, name, tree: units() })
  return {
    kind: 'plain',
    list: async () => listServices(prefix),
    stop: names => each(names, name => stopService(prefix, name)),
    start: names => each(names, start),
    restart: names =>
      each(names, async name => (await stopService(prefix, name)) ?? (await start(name))),
    reload: names => each(names, name => reloadService(prefix, name, units())),
    readUnitsAgain: async () => {
      tree = undefined
    },
    resetFailed: async names => {
      for (const name of names) {
        if (readRecord(prefix, name)?.active === 'failed') removeRecord(prefix, name)
      }
    },
    later: async () => undefined, // The agent of such a root is nobody's service.
  }
}

function listServices(prefix: string): LoadedUnit[] {
  const fragment = (name: string) => `/etc/systemd/system/${name}`
  const services = readRecords(prefix).map(record => ({
    ...stateOf(record),
    fragment: fragment(record.unit),
  }))
  const targets = TARGETS.map(name => ({
    name,
    active: 'active' as const,
    sub: 'active',
    fragment: fragment(name),
    exitCode: 0,
  }))
  return [...services, ...targets]
}

type Start = { prefix: string; command: readonly string[]; name: string; tree: UnitTree }

async function startService({ prefix, command, name, tree }: Start): Promise<string | undefined> {
  if (unitType(name) !== 'service' || name === AGENT_UNIT) return undefined
  const definition = findUnit(tree, name)
  if (definition === undefined) return 'it is not there'
  const unit = plainUnit(prefix, name, definition)
  if (typeof unit === 'string') return unit
  const before = readRecord(prefix, name)
  if (before !== undefined && isUp(before)) return undefined
  // What is still on its way down goes first: two supervisors must not write one record.
  await stopService(prefix, name)
  const supervisor = await startSupervisor(prefix, command, name)
  return await started(prefix, name, supervisor)
}

/** Services write to `<unit>.log` beside their records. */
async function startSupervisor(prefix: string, command: readonly string[], name: string) {
  mkdirSync(serviceFolder(prefix), { recursive: true })
  const log = openSync(join(serviceFolder(prefix), `${name}.log`), 'a', 0o640)
  const [program, ...words] = command
  const child = spawn(
    program!,
    [...words, 'layout', 'supervise', `--prefix=${prefix}`, `--unit=${name}`],
    { detached: true, cwd: '/', stdio: ['ignore', log, log] },
  )
  closeSync(log)
  const failed = new Promise<undefined>(resolve => child.once('error', () => resolve(undefined)))
  const running = new Promise<ProcessIdentity | undefined>(resolve =>
    child.once('spawn', () => resolve(identify(child.pid!))),
  )
  child.unref()
  return await Promise.race([running, failed])
}

async function started(prefix: string, name: string, supervisor: ProcessIdentity | undefined) {
  const deadline = Date.now() + START_MS_MAX
  for (;;) {
    const alive = supervisor !== undefined && isAlive(supervisor)
    const record = readRecord(prefix, name)
    if (record?.active === 'active' || record?.active === 'inactive') return undefined
    if (record?.active === 'failed') return `it failed with exit code ${record.exitCode}`
    // A first run that failed and is tried again has started and failed, as with systemd.
    if (record?.sub === 'auto-restart') return `it failed with exit code ${record.exitCode}`
    if (!alive) return 'its supervisor has ended'
    if (Date.now() > deadline) return `it has not started within ${START_MS_MAX / 1000} s`
    await sleep(POLL_MS)
  }
}

async function stopService(prefix: string, name: string): Promise<string | undefined> {
  const record = readRecord(prefix, name)
  if (record === undefined) return undefined
  const limit = Date.now() + START_MS_MAX
  signalProcess(record.supervisor, 'SIGTERM')
  while (isAlive(record.supervisor)) {
    if (Date.now() > limit) return `its supervisor ${record.supervisor.pid} does not end`
    await sleep(POLL_MS)
  }
  // A supervisor that was killed could not take its service along; look at its last word.
  const last = readRecord(prefix, name) ?? record
  if (last.main !== undefined) await endProcess(last.main)
  removeRecord(prefix, name)
  return undefined
}

async function endProcess(main: ProcessIdentity): Promise<void> {
  const limit = Date.now() + KILL_AFTER_MS
  let signal: NodeJS.Signals = 'SIGTERM'
  while (signalProcess(main, signal, true)) {
    if (Date.now() > limit) signal = 'SIGKILL'
    await sleep(POLL_MS * 5)
  }
}
const KILL_AFTER_MS = 5_000

async function reloadService(prefix: string, name: string, tree: UnitTree) {
  const definition = findUnit(tree, name)
  const record = readRecord(prefix, name)
  if (definition === undefined || record?.main === undefined) return 'it does not run'
  const unit = plainUnit(prefix, name, definition)
  if (typeof unit === 'string') return unit
  if (unit.reload.length === 0) return 'it has no ExecReload='
  return await runReload(unit, record.main.pid)
}

function isUp(record: PlainRecord): boolean {
  const { active } = stateOf(record)
  return active === 'active' || active === 'activating'
}

/** All at the same time, as systemd does for units without an order. */
async function each(
  names: readonly string[],
  act: (name: string) => Promise<string | undefined>,
): Promise<UnitFailure[]> {
  const done = await Promise.all(
    names.map(async unit => ({ unit, message: (await act(unit)) ?? '' })),
  )
  return done.filter(failure => failure.message !== '')
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
