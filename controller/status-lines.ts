import { hostLines } from './commands/get-hosts.ts'
import { countsText, outcomeStyles } from './commands/get-rollouts.ts'
import { lengthOf, releaseName, sentenceOf } from './sentence.ts'
import { type Cell, painter, plain, table, wantsColour } from './terminal.ts'
import type { HostView, RolloutHostView, RolloutView } from './views.ts'

export type FleetState = {
  hosts: HostView[]
  rollout?: RolloutView
  /** Why this is not as of now. */
  trouble?: string
}

export type Look = {
  now: number
  stream: { isTTY?: boolean; columns?: number }
  /** Without the table of hosts: for a log, where each change is a line. */
  brief?: boolean
}

/** The fleet in a terminal: the sentence, the rollout host by host, then the hosts. */
export function statusLines(state: FleetState, look: Look): string[] {
  const paint = painter(wantsColour(look.stream))
  const { hosts, rollout, trouble } = state
  const sentence = sentenceOf({ hosts, rollouts: rollout ? [rollout] : [] })
  const lines = [paint('bold', plain(sentence))]
  if (trouble !== undefined) lines.push(paint('warn', `! ${plain(trouble)}`))
  if (rollout) lines.push('', ...rolloutLines(rollout, look))
  if (hosts.length > 0 && !look.brief) lines.push('', ...hostLines(hosts, look.now, look.stream))
  return lines
}

function rolloutLines(rollout: RolloutView, { stream }: Look): string[] {
  const paint = painter(wantsColour(stream))
  const { channel, outcome, seconds } = rollout
  const name = `${releaseName(rollout)} on ${plain(channel)}`
  const heading = `${name}: ${paint(outcomeStyles[outcome], outcome)}, ${lengthOf(seconds)}, `
  return [
    heading + countsText(rollout),
    ...table(rollout.hosts.map(hostCells), paint, stream.columns),
  ]
}

const marks = {
  Pending: ['·', 'dim'],
  Progressing: ['◐', 'busy'],
  Committed: ['✔', 'good'],
  RolledBack: ['↩', 'warn'],
  Held: ['✖', 'bad'],
  Superseded: ['–', 'dim'],
  Offline: ['○', 'dim'],
} as const

function hostCells({ host, outcome, phase, seconds, code, message }: RolloutHostView): Cell[] {
  const [mark, style] = marks[outcome]
  const why = message ?? code ?? ''
  return [
    { text: `  ${mark}`, style },
    { text: host },
    { text: outcome === 'Progressing' ? (phase ?? outcome) : outcome, style },
    { text: seconds === undefined ? '' : lengthOf(seconds), style: 'dim' },
    { text: outcome === 'Committed' ? '' : why, style: 'dim' },
  ]
}
