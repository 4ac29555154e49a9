import { table } from '../agent/core/decide.ts'
import type { EventKind } from '../agent/core/event.ts'

/** What each event says, for people. The type keeps it complete. */
const events: Record<EventKind, string> = {
  started: 'the agent starts, and says what is real: boot id, profile, running system',
  found: 'a release was verified that names this host',
  refused: 'what the sources offer was refused',
  unchanged: 'the sources have nothing new',
  staged: 'the closure is in the store, verified and rooted',
  stageFailed: 'the closure could not be fetched, or is wrong',
  locked: 'it is the turn of this host',
  delayed: 'it is not yet, or the host cannot be measured',
  measured: 'the baseline was taken',
  activating: 'the activation runs in a unit of its own',
  activationDone: 'it ended, with an exit code',
  activationLost: 'it ended without a result, or never began',
  probed: 'one round of probes',
  deadline: 'the time for the activation, the probes or the way back is over',
  committed: 'the profile was moved',
  commitFailed: 'the profile could not be moved',
  reverted: 'the way back ended',
  retry: 'the pause after a failure is over',
  commandReconcile: 'a person runs `holdfast-agent reconcile`',
  commandRollback: 'a person runs `holdfast-agent rollback`',
}

/** docs/reference/states.md, from the table that `decide` itself uses. */
export function statesPage(): string {
  const rules = Object.entries(table).flatMap(([from, row]) =>
    Object.entries(row as Record<string, { to: string[] }>).map(([event, { to }]) => {
      return { from, event, to: to.length > 0 ? to : [from] }
    }),
  )
  const arrows = new Map<string, string[]>()
  for (const { from, event, to } of rules) {
    for (const next of to.filter(phase => phase !== from)) {
      const arrow = `${from} --> ${next}`
      arrows.set(arrow, [...(arrows.get(arrow) ?? []), event])
    }
  }
  const diagram = [...arrows].map(([arrow, names]) => `    ${arrow}: ${names.join(', ')}`)
  const rows = rules.map(({ from, event, to }) => `| ${from} | \`${event}\` | ${to.join(', ')} |`)
  const meanings = Object.entries(events).map(([name, text]) => `| \`${name}\` | ${text} |`)
  return `# States

What a host goes through, made from the table in \`agent/core/decide.ts\` by \`npm run docs\`. An
event that has no row for a phase changes nothing there. \`Idle\`, \`Reverted\` and \`Held\` are
rest: nothing is under way, and the committed system runs (in \`Held\`, perhaps not).
[The guide](../guides/agent.md) says what each means for a person.

\`\`\`mermaid
stateDiagram-v2
    [*] --> Idle
${diagram.join('\n')}
\`\`\`

## Events

| event | says that |
| --- | --- |
${meanings.join('\n')}

## Rules

| in | on | then |
| --- | --- | --- |
${rows.join('\n')}
`
}
