/**
 * A control group of its own for each host. Without one, containers started from the same place
 * would share one `payload` group, and each systemd inside would take the others' processes for its
 * own. It is also how a host is found and killed: whatever lives in the group is the host.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { isErrno } from '../../agent/codec/errors.ts'

/** Hybrid systems have two hierarchies that systemd uses; unified ones have one, at the top. */
const hierarchies = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified', '/sys/fs/cgroup']
const KILL_ROUNDS_MAX = 100

/** Creates the group and returns the files into which a process writes its id to enter it. */
export function makeHostCgroup(name: string): string[] {
  return folders(name).map(folder => {
    mkdirSync(folder, { recursive: true })
    return join(folder, 'cgroup.procs')
  })
}

/** Whether any process of the host is alive. */
export function isHostRunning(name: string): boolean {
  return folders(name).some(folder => processesBelow(folder).length > 0)
}

/** Kills every process of the host, as a power cut does, and removes the group. */
export async function killHostCgroup(name: string): Promise<void> {
  for (let round = 0; round < KILL_ROUNDS_MAX; round++) {
    const ids = folders(name).flatMap(processesBelow)
    if (ids.length === 0) break
    for (const id of ids) killOne(id, 'SIGKILL')
    await setTimeout(20)
  }
  for (const folder of folders(name)) removeBelow(folder)
}

/** The oldest process in the group, which for `payload/init.scope` is the host's first process. */
export function firstProcess(name: string): number | undefined {
  const ids = folders(name).flatMap(processesBelow)
  return ids.length === 0 ? undefined : Math.min(...ids)
}

/** Sends a signal to the host's processes that run `program`. */
export function signalHost(name: string, program: string, signal: NodeJS.Signals): void {
  const ids = folders(name).flatMap(processesBelow)
  for (const id of new Set(ids)) if (programOf(id) === program) killOne(id, signal)
}

function programOf(id: number): string {
  try {
    return readFileSync(`/proc/${id}/comm`, 'utf8').trim()
  } catch {
    return '' // It ended just now.
  }
}

function folders(name: string): string[] {
  const usable = hierarchies.filter(top => entries(top).includes('cgroup.procs'))
  const chosen = usable.length > 1 ? usable.filter(top => top !== '/sys/fs/cgroup') : usable
  return chosen.map(top => join(top, name))
}

function processesBelow(folder: string): number[] {
  const here = readProcesses(join(folder, 'cgroup.procs'))
  return [...here, ...children(folder).flatMap(processesBelow)]
}

function readProcesses(file: string): number[] {
  try {
    // A process of another pid namespace reads as 0.
    return readFileSync(file, 'utf8')
      .split('\n')
      .map(Number)
      .filter(id => id > 0)
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENODEV')) return []
    throw error
  }
}

function killOne(id: number, signal: NodeJS.Signals): void {
  try {
    process.kill(id, signal)
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error
  }
}

function removeBelow(folder: string): void {
  for (const child of children(folder)) removeBelow(child)
  try {
    rmdirSync(folder)
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'EBUSY')) throw error
  }
}

function children(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => join(folder, entry.name))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
