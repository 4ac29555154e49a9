import type { Command, Invocation } from '../../agent/cli/command.ts'
import { refuseWords } from '../../agent/shell/commands/options.ts'
import { lengthOf, releaseName } from '../sentence.ts'
import { type Cell, painter, table, wantsColour } from '../terminal.ts'
import type { RolloutView } from '../views.ts'
import { connect, connectionHelp, connectionOptions } from './connection.ts'

export const getRollouts: Command = {
  words: ['get', 'rollouts'],
  args: '',
  summary: 'List the rollouts of every channel, newest first',
  options: connectionOptions,
  optionHelp: connectionHelp,
  run,
}

async function run(invocation: Invocation) {
  refuseWords('get rollouts', invocation.positionals)
  const rollouts = await (await connect(invocation)).rollouts()
  if (invocation.json) {
    invocation.print({ rollouts })
    return 0 as const
  }
  const heading = ['RELEASE', 'CHANNEL', 'OUTCOME', 'TOOK', 'HOSTS'].map(
    (text): Cell => ({ text, style: 'dim' }),
  )
  const paint = painter(wantsColour(process.stdout))
  const rows = [heading, ...rollouts.map(rolloutRow)]
  for (const line of table(rows, paint, process.stdout.columns)) invocation.print(line)
  return 0 as const
}

function rolloutRow(rollout: RolloutView): Cell[] {
  return [
    { text: releaseName(rollout).slice(8), style: 'bold' },
    { text: rollout.channel },
    { text: rollout.outcome, style: outcomeStyles[rollout.outcome] },
    { text: lengthOf(rollout.seconds) },
    { text: countsText(rollout) },
  ]
}

/** `3 = 2 Committed + 1 RolledBack`. */
export function countsText({ hosts, counts }: RolloutView): string {
  const parts = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`)
  return `${hosts.length} = ${parts.join(' + ') || '0'}`
}

export const outcomeStyles = {
  Progressing: 'busy',
  Succeeded: 'good',
  Failed: 'bad',
  Superseded: 'dim',
} as const
