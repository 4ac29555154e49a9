import { spawn } from 'node:child_process'
import { HostError, messageOf } from '../codec/errors.ts'
import { type ActivationStart, isTaken, readOutcome, readStart } from './activation-record.ts'
import type { ActivationRun } from './activation-run.ts'
import { activationUnit, startTransient, stopTransient, transientRuns } from './activation-unit.ts'
import { agentCommand } from './agent-command.ts'
import { hasSystemd } from './open-services.ts'
import { isAlive, signalProcess } from './process-identity.ts'

export type ActivationOptions = ActivationRun & {
  /** Starts the agent's program; this program itself by default. */
  command?: readonly string[]
}

export type ActivationState =
  | { state: 'running' }
  | { state: 'done'; exitCode: number; output: string }
  /** It was started, is gone, and left no result: the power went, or somebody killed it. */
  | { state: 'lost' }

type Attempt = { prefix: string; attempt: string }

/** Time for the detached process to take its attempt. A busy machine needs a second. */
const TAKE_MS_MAX = 30_000
const POLL_MS = 20

/**
 * Has a system activated outside this process: in a transient unit of systemd's, or in a process
 * group of its own, so that the switch may replace the agent that asked for it. Safe to repeat: one
 * attempt runs at most once, whatever was cut off. Errors: HostError `activation`, `services`.
 */
export async function startActivation(options: ActivationOptions): Promise<void> {
  if (isTaken(options)) return
  const command = [...(options.command ?? agentCommand()), ...activateWords(options)]
  if (hasSystemd(options.prefix)) await startTransient(options, command)
  else await startDetached(options, command)
}

/** What became of an attempt. One that was never started is lost too. */
export async function activationResult(attempt: Attempt): Promise<ActivationState> {
  const before = doneState(attempt)
  if (before !== undefined) return before
  const running = hasSystemd(attempt.prefix)
    ? await transientRuns(activationUnit(attempt.attempt))
    : processesRun(readStart(attempt))
  // It may have ended between the two looks, and then its result is there.
  return running ? { state: 'running' } : (doneState(attempt) ?? { state: 'lost' })
}

/** Ends an attempt and all its processes. Its result, if it could still write one, says 143. */
export async function stopActivation(attempt: Attempt): Promise<void> {
  if (hasSystemd(attempt.prefix)) {
    await stopTransient(activationUnit(attempt.attempt))
    return
  }
  const start = readStart(attempt)
  if (start === undefined) return
  const deadline = Date.now() + STOP_MS
  signalProcess(start.wrapper, 'SIGTERM')
  while (isAlive(start.wrapper) && Date.now() < deadline) await sleep(POLL_MS)
  signalProcess(start.wrapper, 'SIGKILL')
  const { child } = readStart(attempt) ?? start
  if (child !== undefined) signalProcess(child, 'SIGKILL', true)
  while (processesRun(readStart(attempt))) await sleep(POLL_MS)
}

/** Twice what the wrapper gives its group to leave. */
const STOP_MS = 10_000

function activateWords(run: ActivationRun): string[] {
  return [
    ...['layout', 'activate', '--prefix', run.prefix, '--system', run.system],
    ...['--attempt', run.attempt, '--action', run.action],
    ...['--deadline', String(run.deadlineSeconds)],
  ]
}

function doneState(attempt: Attempt): ActivationState | undefined {
  const outcome = readOutcome(attempt)
  if (outcome === undefined) return undefined
  return { state: 'done', exitCode: outcome.exitCode, output: outcome.output }
}

/** The wrapper, or what it left behind when it was killed: that still switches. */
function processesRun(start: ActivationStart | undefined): boolean {
  if (start === undefined) return false
  return isAlive(start.wrapper) || (start.child !== undefined && isAlive(start.child))
}

async function startDetached(options: ActivationOptions, command: string[]): Promise<void> {
  const [program, ...words] = command
  const child = spawn(program!, words, { detached: true, cwd: '/', stdio: 'ignore' })
  let ended: string | undefined
  child.once('error', error => {
    ended = messageOf(error)
  })
  child.once('exit', code => {
    ended = `it ended with ${code}`
  })
  child.unref()
  const deadline = Date.now() + TAKE_MS_MAX
  while (!isTaken(options)) {
    if (ended === undefined && Date.now() < deadline) {
      await sleep(POLL_MS)
      continue
    }
    const is = ended ?? 'it does not begin'
    throw new HostError('activation', `Cannot start the activation "${options.attempt}": ${is}`)
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
