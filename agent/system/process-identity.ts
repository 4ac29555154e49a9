import { readFileSync } from 'node:fs'

/** A process for certain: a pid alone may belong to another process by now, or after a reboot. */
export type ProcessIdentity = {
  pid: number
  /** Clock ticks from the kernel's start to the process's, field 22 of /proc/<pid>/stat. */
  startTicks: number
  /** The kernel's id of this boot. */
  boot: string
}

/** Who has this pid now; undefined when nobody has, or only a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid)
  // The name in parentheses may hold anything, so count from its end: the state is field 3.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined
  return { pid, startTicks: Number(fields[19]), boot: kernelBootId() }
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid)
  return now !== undefined && now.startTicks === identity.startTicks && now.boot === identity.boot
}

/** Signals the process, or with `group` its process group, when it is still the same process. */
export function signalProcess(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  group = false,
): boolean {
  if (!isAlive(identity)) return false
  try {
    process.kill(group ? -identity.pid : identity.pid, signal)
    return true
  } catch {
    return false // It ended between the two lines.
  }
}

export function kernelBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
}
