import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { codeOf, isErrno, messageOf } from '../codec/errors.ts'
import { decodeProbe, PROBE_BYTES_MAX, PROBES_MAX, type Probe } from '../codec/health.ts'
import { readPlainFile } from '../files/plain-file.ts'
import type { Baseline } from './baseline.ts'
import { openServices } from './open-services.ts'
import { probeExec } from './probe-exec.ts'
import { probeHttp } from './probe-http.ts'
import { ProbeError, type ProbeFailure } from './probe-result.ts'
import { probeTcp } from './probe-tcp.ts'
import { newlyFailed, probeUnit } from './probe-unit.ts'
import { resolveRooted } from './rooted-path.ts'
import type { LoadedUnit, ServiceManager } from './service-manager.ts'

export type ProbeRound = { healthy: boolean; failures: ProbeFailure[] }

export type ProbeOptions = {
  prefix: string
  system: StorePath
  baseline: Baseline
  /** Whether any source that the baseline calls reachable is so now. */
  checkSource: () => Promise<boolean>
  signal: AbortSignal
  services?: ServiceManager
}

/** For systemd to answer, and for a source: longer is a hang. */
const SERVICES_SECONDS_MAX = 30
const SOURCE_SECONDS_MAX = 60

/**
 * One round of all probes at once: no unit has newly failed, a source that could be reached still
 * can, and the system's own probes pass. Never throws: what cannot be found out is a failure.
 */
export async function runProbes(options: ProbeOptions): Promise<ProbeRound> {
  const { prefix, system, baseline, signal } = options
  const services = options.services ?? openServices({ prefix })
  let listed: Promise<LoadedUnit[]> | undefined
  const loaded = () => {
    listed ??= services.list()
    return listed
  }
  const { probes, failures: unreadable } = readProbes(prefix, system)
  const rounds = [
    attempt({ name: 'units', seconds: SERVICES_SECONDS_MAX, signal }, async () =>
      newlyFailed(await loaded(), baseline),
    ),
    ...(baseline.reachableSources.length > 0 ? [probeSource(options)] : []),
    ...probes.map(probe =>
      attempt({ name: probe.name, seconds: probe.timeoutSeconds, signal }, async limit => {
        await runProbe(probe, { prefix, loaded, limit })
        return []
      }),
    ),
  ]
  const failures = [...unreadable, ...(await Promise.all(rounds)).flat()]
  return { healthy: failures.length === 0, failures }
}

type Context = { prefix: string; loaded: () => Promise<LoadedUnit[]>; limit: AbortSignal }

async function runProbe(probe: Probe, { prefix, loaded, limit }: Context): Promise<void> {
  if (probe.kind === 'http') await probeHttp(probe, limit)
  else if (probe.kind === 'tcp') await probeTcp(probe, limit)
  else if (probe.kind === 'exec') await probeExec(probe, prefix, limit)
  else probeUnit(probe, await loaded())
}

/** What no source could do before the switch is not asked of it afterwards. */
function probeSource({ baseline, checkSource, signal }: ProbeOptions): Promise<ProbeFailure[]> {
  return attempt({ name: 'source', seconds: SOURCE_SECONDS_MAX, signal }, async () => {
    if (await checkSource()) return []
    const names = baseline.reachableSources.join(', ')
    const message = `no source can be reached, and before the switch could be: ${names}`
    return [{ probe: 'source', code: 'source-lost', message }]
  })
}

type Limit = { name: string; seconds: number; signal: AbortSignal }

/**
 * Runs one probe under its own limit. A probe that hangs has failed, whether or not it can stop.
 */
async function attempt(
  { name, seconds, signal }: Limit,
  probe: (limit: AbortSignal) => Promise<ProbeFailure[]>,
): Promise<ProbeFailure[]> {
  const limit = new AbortController()
  let stop: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<ProbeFailure[]>(resolve => {
    const end = (message: string) => {
      resolve([{ probe: name, code: 'probe-timeout', message }])
      limit.abort()
    }
    timer = setTimeout(() => end(`${name} has no answer after ${seconds} s`), seconds * 1000)
    stop = () => end(`${name} was given up`)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  const result = probe(limit.signal).catch(error => [failureOf(name, error)])
  try {
    return await Promise.race([over, result])
  } finally {
    clearTimeout(timer)
    if (stop !== undefined) signal.removeEventListener('abort', stop)
  }
}

function failureOf(probe: string, error: unknown): ProbeFailure {
  const code = error instanceof ProbeError ? error.code : codeOf(error)
  return { probe, code, message: messageOf(error) }
}

/** The system's `health` folder. What is no probe fails: it was meant to watch something. */
export function readProbes(
  prefix: string,
  system: StorePath,
): { probes: Probe[]; failures: ProbeFailure[] } {
  const folder = `${system}/health`
  const probes: Probe[] = []
  const failures: ProbeFailure[] = []
  const attempt = <T>(probe: string, action: () => T): T | undefined => {
    try {
      return action()
    } catch (error) {
      failures.push({ probe, code: 'probe-file', message: messageOf(error) })
      return undefined
    }
  }
  const names = attempt('health', () => namesIn(resolveRooted(prefix, folder))) ?? []
  if (names.length > PROBES_MAX) {
    const message = `the system has ${names.length} probes, and at most ${PROBES_MAX} are run`
    failures.push({ probe: 'health', code: 'probe-file', message })
  }
  for (const name of names.slice(0, PROBES_MAX)) {
    const probe = attempt(name, () => {
      const file = resolveRooted(prefix, join(folder, name))
      return decodeProbe(readPlainFile(file, PROBE_BYTES_MAX), name)
    })
    if (probe !== undefined) probes.push(probe)
  }
  return { probes, failures }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter(name => name.endsWith('.json'))
      .sort()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}
