import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentConfig } from '../codec/agent-config.ts'
import { UsageError } from '../codec/errors.ts'
import type { CronAnswer } from './cron-worker.ts'
import { askOnce } from './one-shot.ts'

/** Times that are asked for at once: four hours of a poll each 30 s. */
const RUNS = 480
const ASK_MS_MAX = 60_000
/** When the clock was set by more than this, the times are asked for anew. */
const CLOCK_STEP_MS = 5_000
/** The longest delay that a timer can have. */
const SLEEP_MS_MAX = 2 ** 31 - 1

export type Schedule = {
  poll: () => Promise<void>
  random: () => number
  signal: AbortSignal
}

/**
 * Polls whenever the cron expression says, each time up to `jitterSeconds` later, so that a fleet
 * does not come at once, until the signal. The answer comes when the first times are known.
 * Errors: UsageError `config`.
 */
export async function schedulePolls(
  config: AgentConfig['poll'],
  schedule: Schedule,
): Promise<{ ended: Promise<void> }> {
  const first = await nextRuns(config.cron, schedule.signal)
  return { ended: follow(config, first, schedule) }
}

async function follow(
  { cron, jitterSeconds }: AgentConfig['poll'],
  first: Times,
  { poll, random, signal }: Schedule,
): Promise<void> {
  let times = first
  try {
    while (!signal.aborted) {
      const next = times.runs.find(run => run > Date.now())
      if (next === undefined || Math.abs(clockOffset() - times.offset) > CLOCK_STEP_MS) {
        times = await nextRuns(cron, signal)
        continue
      }
      const jitter = random() * jitterSeconds * 1000
      await sleep(Math.min(next - Date.now() + jitter, SLEEP_MS_MAX), undefined, { signal })
      if (Date.now() >= next) await poll()
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

type Times = { runs: number[]; offset: number }

async function nextRuns(cron: string, signal: AbortSignal): Promise<Times> {
  const request = { cron, count: RUNS }
  const asked = askOnce({ worker: 'cron-worker', request, msMax: ASK_MS_MAX, signal })
  const { runs } = (await asked) as CronAnswer
  if (runs !== undefined && runs.length > 0) return { runs, offset: clockOffset() }
  const message = `Cannot use "${cron}" in agent.json, poll.cron: it is no schedule`
  throw new UsageError('config', message)
}

/** Changes only when the clock is set. */
function clockOffset(): number {
  return Date.now() - performance.now()
}
