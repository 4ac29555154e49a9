import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type PlainRecord, writeRecord } from './plain-record.ts'
import { type ExecLine, expand, type PlainUnit } from './plain-unit.ts'
import { identify, kernelBootId, signalProcess } from './process-identity.ts'

/** As systemd's DefaultStartLimitBurst= and DefaultStartLimitIntervalSec=. */
const STARTS_MAX = 5
const STARTS_WINDOW_MS = 10_000

export type Supervised = { prefix: string; name: string; unit: PlainUnit }

/**
 * Runs one service to its end in this process, and writes down what becomes of it. Started detached
 * from the agent, so that services outlive it; `stop` stops the service.
 */
export async function supervise(service: Supervised, stop: AbortSignal): Promise<void> {
  note(service, { active: 'activating', sub: 'start' })
  const outcome =
    service.unit.type === 'oneshot'
      ? await runOnce(service, stop)
      : await keepRunning(service, stop)
  note(service, outcome)
}

type Noted = Pick<PlainRecord, 'active' | 'sub'> & { exitCode?: number; main?: ChildProcess }

async function runOnce(service: Supervised, stop: AbortSignal): Promise<Noted> {
  for (const line of service.unit.start) {
    const exitCode = await runLine(service, line, stop)
    if (stop.aborted) return { active: 'inactive', sub: 'dead' }
    if (exitCode !== 0 && !line.mayFail) return { active: 'failed', sub: 'failed', exitCode }
  }
  return service.unit.remain
    ? { active: 'active', sub: 'exited' }
    : { active: 'inactive', sub: 'dead' }
}

async function keepRunning(service: Supervised, stop: AbortSignal): Promise<Noted> {
  const { unit } = service
  const starts: number[] = []
  for (;;) {
    starts.push(Date.now())
    const line = unit.start.at(-1)!
    const exitCode = await runLine(service, line, stop)
    if (stop.aborted) return { active: 'inactive', sub: 'dead' }
    const good = exitCode === 0 || line.mayFail
    const again = unit.restart === 'always' || (unit.restart === 'on-failure' && !good)
    const recent = starts.filter(at => at > Date.now() - STARTS_WINDOW_MS).length
    if (!again && good) return { active: 'inactive', sub: 'dead' }
    if (!again || recent >= STARTS_MAX) return { active: 'failed', sub: 'failed', exitCode }
    note(service, { active: 'activating', sub: 'auto-restart', exitCode })
    await pause(unit.restartMs, stop)
    if (stop.aborted) return { active: 'inactive', sub: 'dead' }
  }
}

/**
 * Runs one line in a process group of its own; 127 when it cannot be started, as a shell has it.
 */
async function runLine(service: Supervised, line: ExecLine, stop: AbortSignal): Promise<number> {
  const { unit, prefix } = service
  const env = { ...process.env, HOLDFAST_PREFIX: prefix, ...unit.environment }
  const [program, ...words] = expand(line.words, env as Record<string, string>)
  const child = spawn(program!, words, {
    cwd: unit.workingDirectory ?? prefix,
    detached: true,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    await once(child, 'spawn')
  } catch (error) {
    ended.catch(() => undefined) // The same error, heard twice.
    process.stderr.write(`Cannot start "${program}": ${(error as Error).message}\n`)
    return 127
  }
  const oneshot = unit.type === 'oneshot'
  note(service, {
    active: oneshot ? 'activating' : 'active',
    sub: oneshot ? 'start' : 'running',
    main: child,
  })
  const [code, signal] = await endOf(service, { child, ended, stop })
  return code ?? 128 + (signal === 'SIGKILL' ? 9 : 15)
}

type Running = { child: ChildProcess; ended: Promise<unknown[]>; stop: AbortSignal }

async function endOf(service: Supervised, { child, ended, stop }: Running) {
  const main = identify(child.pid!)
  let timer: NodeJS.Timeout | undefined
  const end = () => {
    note(service, { active: 'deactivating', sub: 'stop-sigterm', main: child })
    if (main !== undefined) signalProcess(main, 'SIGTERM', true)
    timer = setTimeout(() => killGroup(child.pid!), service.unit.stopMs)
  }
  if (stop.aborted) end()
  else stop.addEventListener('abort', end, { once: true })
  const result = (await ended) as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  stop.removeEventListener('abort', end)
  killGroup(child.pid!) // What the service left behind goes with it, as a control group would.
  return result
}

/** The group's id is not given to another process while one of its members lives. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

function note(service: Supervised, { active, sub, exitCode = 0, main }: Noted): void {
  const identity = main?.pid === undefined ? undefined : identify(main.pid)
  writeRecord(service.prefix, {
    unit: service.name,
    active,
    sub,
    exitCode,
    boot: kernelBootId(),
    supervisor: identify(process.pid)!,
    ...(identity === undefined ? {} : { main: identity }),
  })
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms)
    stop.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
