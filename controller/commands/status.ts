import { setTimeout as wait } from 'node:timers/promises'
import type { Command, ExitCode, Invocation } from '../../agent/cli/command.ts'
import { HoldfastError, UsageError } from '../../agent/codec/errors.ts'
import { refuseWords } from '../../agent/shell/commands/options.ts'
import type { ControllerClient } from '../client.ts'
import { Screen } from '../screen.ts'
import { type FleetState, statusLines } from '../status-lines.ts'
import type { RolloutView } from '../views.ts'
import { connect, connectionHelp, connectionOptions } from './connection.ts'
import { readSeconds } from './duration.ts'

export const status: Command = {
  words: ['status'],
  args: '[--watch]',
  summary: 'Show the fleet and its newest rollout; with --watch until it has an outcome',
  options: {
    ...connectionOptions,
    watch: { type: 'boolean', short: 'w' },
    timeout: { type: 'string' },
    release: { type: 'string' },
    channel: { type: 'string' },
  },
  optionHelp: {
    ...connectionHelp,
    watch: 'Stay until the rollout has an outcome: 0 succeeded, 1 failed, 3 held, 124 timed out',
    timeout: 'With --watch, give up after this time, such as 90s or 10m; never by default',
    release: 'This release, as VERSION or EPOCH.VERSION, instead of the newest',
    channel: 'Of this channel, instead of the one with the newest rollout',
  },
  run,
}

const POLL_MS = 500

type Wanted = { epoch?: number; version: number }
type Question = { client: ControllerClient; release?: Wanted; channel?: string }

async function run(invocation: Invocation): Promise<ExitCode> {
  const { values, positionals } = invocation
  refuseWords('status', positionals)
  const question: Question = { client: await connect(invocation) }
  if (typeof values.channel === 'string') question.channel = values.channel
  if (typeof values.release === 'string') question.release = readRelease(values.release)
  const timeoutSeconds = readSeconds(values.timeout, 'timeout')
  if (values.watch === true) return await watch(invocation, question, timeoutSeconds)
  const state = await look(question)
  show(invocation, state)
  return state.rollout === undefined ? 2 : (exitCode(state.rollout) ?? 0)
}

/** A controller that is away for a while is waited for: it may be the very thing that restarts. */
async function watch(
  invocation: Invocation,
  question: Question,
  timeoutSeconds = Number.POSITIVE_INFINITY,
): Promise<ExitCode> {
  const { signal, json } = invocation
  const end = performance.now() + timeoutSeconds * 1000
  const screen = json ? undefined : new Screen(process.stdout)
  let state: FleetState = { hosts: [] }
  let code: ExitCode | undefined
  while (code === undefined) {
    const next = await lookAgain(question)
    state = 'trouble' in next ? { ...state, trouble: next.trouble } : next
    const brief = !process.stdout.isTTY
    screen?.draw(statusLines(state, { now: Date.now(), stream: process.stdout, brief }))
    code = state.trouble === undefined && state.rollout ? exitCode(state.rollout) : undefined
    if (code === undefined && performance.now() >= end) code = 124
    if (code === undefined && signal.aborted) code = 2
    if (code === undefined) await wait(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
  screen?.end()
  if (json) show(invocation, state)
  if (code === 124) invocation.say(`No outcome within ${timeoutSeconds} s`)
  return code
}

async function lookAgain(question: Question): Promise<FleetState | { trouble: string }> {
  try {
    return await look(question)
  } catch (error) {
    if (error instanceof HoldfastError && error.kind === 'transient') {
      return { trouble: error.message }
    }
    throw error
  }
}

async function look({ client, release, channel }: Question): Promise<FleetState> {
  const [hosts, rollouts] = await Promise.all([client.hosts(), client.rollouts()])
  if (release === undefined) {
    const rollout = await client.latestRollout(channel).catch(noneYet)
    return rollout === undefined ? { hosts } : { hosts, rollout }
  }
  const { epoch, version } = release
  const rollout = rollouts.find(
    candidate =>
      candidate.version === version &&
      (epoch === undefined || candidate.epoch === epoch) &&
      (channel === undefined || candidate.channel === channel),
  )
  return rollout === undefined ? { hosts } : { hosts, rollout }
}

function noneYet(error: unknown): undefined {
  if (error instanceof HoldfastError && error.code === 'no-rollout') return undefined
  throw error
}

/** Undefined while it is on the way. */
function exitCode({ outcome, counts }: RolloutView): ExitCode | undefined {
  if (outcome === 'Progressing') return undefined
  if ((counts.Held ?? 0) > 0) return 3
  return outcome === 'Succeeded' ? 0 : 1
}

function show({ json, print }: Invocation, state: FleetState): void {
  if (json) {
    print({ rollout: state.rollout ?? null, hosts: state.hosts })
    return
  }
  const lines = statusLines(state, { now: Date.now(), stream: process.stdout })
  for (const line of lines) print(line)
}

function readRelease(text: string): Wanted {
  const [, epoch, version] = /^(?:(\d{1,15})\.)?(\d{1,15})$/.exec(text) ?? []
  if (version === undefined) {
    const next = 'Write it as VERSION or EPOCH.VERSION'
    throw new UsageError('usage', `Cannot read "--release=${text}": it is no release`, { next })
  }
  return { version: Number(version), ...(epoch !== undefined && { epoch: Number(epoch) }) }
}
