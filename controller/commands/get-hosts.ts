import type { Command, Invocation } from '../../agent/cli/command.ts'
import { refuseWords } from '../../agent/shell/commands/options.ts'
import { lengthOf, releaseName, shortSystem, worstFirst } from '../sentence.ts'
import { type Cell, painter, table, wantsColour } from '../terminal.ts'
import type { HostView } from '../views.ts'
import { connect, connectionHelp, connectionOptions } from './connection.ts'

export const getHosts: Command = {
  words: ['get', 'hosts'],
  args: '',
  summary: 'List the hosts of the fleet, worst first',
  options: connectionOptions,
  optionHelp: connectionHelp,
  run,
}

async function run(invocation: Invocation) {
  refuseWords('get hosts', invocation.positionals)
  const hosts = await (await connect(invocation)).hosts()
  if (invocation.json) invocation.print({ hosts })
  else for (const line of hostLines(hosts, Date.now(), process.stdout)) invocation.print(line)
  return 0 as const
}

/** A heading and one line for each host. */
export function hostLines(
  hosts: HostView[],
  now: number,
  stream: { isTTY?: boolean; columns?: number },
): string[] {
  const heading = ['HOST', 'HEALTH', 'SYNC', 'PHASE', 'RELEASE', 'RUNNING', 'SINCE', 'MESSAGE']
  const rows = [
    heading.map((text): Cell => ({ text, style: 'dim' })),
    ...worstFirst(hosts).map(host => hostRow(host, now)),
  ]
  return table(rows, painter(wantsColour(stream)), stream.columns)
}

function hostRow(host: HostView, now: number): Cell[] {
  const { name, health, sync, phase, release, running, since, message = '' } = host
  const outOfSync = sync === 'OutOfSync'
  return [
    { text: name, style: 'bold' },
    { text: health, style: healthStyles[health] },
    { text: sync, ...(outOfSync && { style: 'warn' as const }) },
    { text: phase },
    { text: release ? releaseName(release).slice(8) : '–' },
    { text: shortSystem(running) },
    { text: lengthOf((now - Date.parse(since)) / 1000) },
    { text: message, style: 'dim' },
  ]
}

const healthStyles = {
  Healthy: 'good',
  Progressing: 'busy',
  Degraded: 'bad',
  Offline: 'warn',
  Unknown: 'dim',
} as const
