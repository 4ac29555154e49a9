import { setTimeout as sleep } from 'node:timers/promises'
import type { Command, Invocation } from '../../cli/command.ts'
import { UsageError } from '../../codec/errors.ts'
import type { Status } from '../../codec/report.ts'
import { askAgent } from '../control-client.ts'
import { exitCodeOf } from '../exit-code.ts'
import { statusText } from '../status-text.ts'
import { prefixHelp, prefixOption, refuseWords, socketOf, textOf } from './options.ts'

const LOOK_MS = 300
const REST = ['Idle', 'Reverted', 'Held']

export const reconcileCommand: Command = {
  words: ['reconcile'],
  args: '[--wait [--timeout=SECONDS]] [--retry]',
  summary: 'Look at the sources now, and put right what has drifted',
  options: {
    ...prefixOption,
    wait: { type: 'boolean' },
    timeout: { type: 'string', default: '600' },
    retry: { type: 'boolean' },
  },
  optionHelp: {
    ...prefixHelp,
    wait: 'Return when nothing is under way any more; exit as status does',
    timeout: 'Seconds to wait at most; then exit 124',
    retry: 'Try the newest release again although it failed here',
  },
  async run(invocation) {
    const { values, positionals, json, print, signal } = invocation
    refuseWords('reconcile', positionals)
    const timeoutMs = secondsOf(values) * 1000
    const path = socketOf(values)
    const retry = values.retry === true
    const first = await askAgent(path, { command: 'reconcile', retry }, signal)
    if (values.wait !== true) {
      print(json ? first : statusText(first))
      return 0
    }
    const status = await rested({ path, first, timeoutMs, signal })
    print(json ? status : statusText(status))
    return REST.includes(status.phase) ? exitCodeOf(status) : 124
  },
}

type Waiting = { path: string; first: Status; timeoutMs: number; signal: AbortSignal }

/** The first status at rest, or the last one before the time was over. */
async function rested({ path, first, timeoutMs, signal }: Waiting): Promise<Status> {
  const end = performance.now() + timeoutMs
  let status = first
  while (!REST.includes(status.phase) && performance.now() < end) {
    await sleep(LOOK_MS, undefined, { signal })
    // The agent may be replaced by the very switch that is waited for.
    status = await askAgent(path, { command: 'status' }, signal).catch(error => {
      if (error instanceof UsageError && error.code === 'no-agent') return status
      throw error
    })
  }
  return status
}

function secondsOf(values: Invocation['values']): number {
  const seconds = Number(textOf(values, 'timeout'))
  if (seconds > 0 && seconds <= 86_400) return seconds
  throw new UsageError('usage', 'Cannot use "--timeout": it is 1 to 86400 seconds')
}
