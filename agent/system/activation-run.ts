import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { StorePath } from '../codec/documents.ts'
import { messageOf } from '../codec/errors.ts'
import {
  type ActivationAction,
  type ActivationStart,
  noteChild,
  takeAttempt,
  writeOutcome,
} from './activation-record.ts'
import { agentCommand } from './agent-command.ts'
import { identify } from './process-identity.ts'
import { bootId } from './running.ts'

export type ActivationRun = {
  prefix: string
  system: StorePath
  attempt: string
  action: ActivationAction
  deadlineSeconds: number
}

/** What is kept of what the activation prints; the journal has all of it. */
const OUTPUT_CHARACTERS_MAX = 8192
/** For the group to leave after SIGTERM, before SIGKILL. */
const LEAVE_MS = 5_000
/** What the activation left running may hold its output open; nobody waits for that. */
const OUTPUT_MS = 500

/**
 * The process inside the activation's own unit: runs the system's program to its end or deadline
 * and writes the result durably. Does nothing when the attempt was taken before. Answers the exit
 * code.
 */
export async function runActivation(run: ActivationRun, stop: AbortSignal): Promise<number> {
  const { prefix, system, attempt, action } = run
  const start: ActivationStart = {
    attempt,
    system,
    action,
    bootId: bootId(prefix),
    wrapper: identify(process.pid)!,
  }
  if (!takeAttempt(run, start)) return 0
  const result = await performProgram(run, start, stop)
  writeOutcome(run, { attempt, system, action, bootId: start.bootId, ...result })
  return result.exitCode
}

type Result = { exitCode: number; output: string }

async function performProgram(
  run: ActivationRun,
  start: ActivationStart,
  stop: AbortSignal,
): Promise<Result> {
  const [program, ...words] = programOf(run)
  const child = spawn(program!, words, {
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      process.stdout.write(text)
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX)
    })
  }
  const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
  const ended = new Promise<number>(resolve => {
    child.once('error', error => {
      output += `cannot start ${program}: ${messageOf(error)}\n`
      resolve(127)
    })
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)))
  })
  const leader = child.pid === undefined ? undefined : identify(child.pid)
  if (leader !== undefined) noteChild(run, { ...start, child: leader })
  const exitCode = await withinDeadline({ run, pid: child.pid, ended, stop })
  await Promise.race([closed, pause(OUTPUT_MS)])
  child.stdout.destroy()
  child.stderr.destroy()
  if (exitCode === 124) output += `ended by its deadline of ${run.deadlineSeconds} s\n`
  return { exitCode, output }
}

/** A root that is `/` runs the system's own program; in any other, its paths would mean nothing. */
function programOf({ prefix, system, action }: ActivationRun): string[] {
  const own = `${system}/bin/switch-to-configuration`
  if (prefix === '/' && existsSync(own)) return [own, action]
  const words = [
    'layout',
    'switch-to-configuration',
    '--prefix',
    prefix,
    '--system',
    system,
    action,
  ]
  return [...agentCommand(), ...words]
}

type Limits = {
  run: ActivationRun
  pid: number | undefined
  ended: Promise<number>
  stop: AbortSignal
}

/** The program's own exit code, or 124 at the deadline, 143 when asked to stop. */
async function withinDeadline({ run, pid, ended, stop }: Limits): Promise<number> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<124>(resolve => {
    timer = setTimeout(() => resolve(124), run.deadlineSeconds * 1000)
  })
  const asked = new Promise<143>(resolve => {
    if (stop.aborted) resolve(143)
    else stop.addEventListener('abort', () => resolve(143), { once: true })
  })
  const exitCode = await Promise.race([ended, deadline, asked])
  clearTimeout(timer)
  if (pid === undefined) return exitCode
  signalGroup(pid, 'SIGTERM')
  await Promise.race([ended, pause(LEAVE_MS)])
  signalGroup(pid, 'SIGKILL') // What it forked goes too; services are in sessions of their own.
  return exitCode
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // Nobody is left in the group.
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms).unref())
}
