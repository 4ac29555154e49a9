import type { Command } from '../../cli/command.ts'
import { Agent } from '../agent.ts'
import { serveControl } from '../control.ts'
import { exitCodeOf } from '../exit-code.ts'
import { beFrugal } from '../frugal.ts'
import { openParts } from '../parts.ts'
import { schedulePolls } from '../schedule.ts'
import { statusText } from '../status-text.ts'
import { prefixHelp, prefixOption, refuseWords, textOf } from './options.ts'

export const runCommand: Command = {
  words: ['run'],
  args: '[--prefix=DIR] [--once]',
  summary: 'Keep this host on the system that its sources say',
  options: {
    ...prefixOption,
    config: { type: 'string' },
    seed: { type: 'string' },
    once: { type: 'boolean' },
  },
  optionHelp: {
    ...prefixHelp,
    config: 'The configuration; by default etc/holdfast/agent.json, if it is there',
    seed: 'The seed; by default var/lib/holdfast/seed.json',
    once: 'Poll once, converge, and exit as status does',
  },
  async run({ values, positionals, json, print, signal }) {
    refuseWords('run', positionals)
    beFrugal()
    const agent = openAgent(values)
    const once = values.once === true
    try {
      await (once ? converge(agent, signal) : keep(agent, signal))
    } finally {
      await agent.close()
    }
    if (!once) return 0
    const status = agent.status()
    print(json ? status : statusText(status))
    return exitCodeOf(status)
  },
}

function openAgent(values: Record<string, unknown>): Agent {
  const text = (name: string) => textOf(values as Parameters<typeof textOf>[0], name)
  const [configFile, seedFile] = [text('config'), text('seed')]
  const parts = openParts({
    prefix: text('prefix') ?? '/',
    ...(configFile === undefined ? {} : { configFile }),
    ...(seedFile === undefined ? {} : { seedFile }),
    logToStderr: values.once === true,
  })
  return new Agent(parts)
}

async function converge(agent: Agent, signal: AbortSignal): Promise<void> {
  await agent.start()
  await agent.settled()
  if (!signal.aborted) await agent.poll(true)
  await Promise.race([agent.settled(), aborted(signal)])
}

/** Until it is asked to end. The schedule is checked before anything is touched. */
async function keep(agent: Agent, signal: AbortSignal): Promise<void> {
  const { config, random } = agent.parts
  const poll = () => agent.poll()
  const polls = await schedulePolls(config.poll, { poll, random, signal })
  const control = await serveControl(agent)
  try {
    await agent.start()
    await agent.poll()
    await polls.ended
  } finally {
    control.close()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
