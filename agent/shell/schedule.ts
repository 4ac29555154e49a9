import { schedule, validate } from 'node-cron'
import type { AgentConfig } from '../codec/agent-config.ts'
import { UsageError } from '../codec/errors.ts'

/**
 * Polls when the cron expression says, each time up to `jitterSeconds` later, so that a fleet does
 * not come at once; the answer stops it. Errors: UsageError `config`.
 */
export function schedulePolls(
  { cron, jitterSeconds }: AgentConfig['poll'],
  poll: () => Promise<void>,
  random: () => number,
): () => void {
  if (!validate(cron)) {
    throw new UsageError(
      'config',
      `Cannot use "${cron}" in agent.json, poll.cron: it is no schedule`,
    )
  }
  let timer: NodeJS.Timeout | undefined
  const task = schedule(cron, () => {
    clearTimeout(timer)
    timer = setTimeout(() => void poll(), random() * jitterSeconds * 1000)
  })
  return () => {
    clearTimeout(timer)
    void task.destroy()
  }
}
