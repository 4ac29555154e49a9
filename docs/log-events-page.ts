import { logEvents } from '../agent/shell/log-events.ts'

/** docs/reference/log-events.md. */
export function logEventsPage(): string {
  const rows = Object.entries(logEvents)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([event, text]) => `| \`${event}\` | ${text} |`)
  return `# Log events

The agent writes one JSON object per line to stdout (with \`run --once\` to stderr): \`time\`
(RFC 3339), \`level\`, \`host\`, \`event\`, and what belongs to the event. Names and fields are
part of the interface. \`log.level\` in [agent.json](trust.md) chooses what is written; at \`debug\`
every event that the core decided about is there whole, so that a host's log can be replayed. This
page is made from \`agent/shell/log-events.ts\` by \`npm run docs\`.

| event | says |
| --- | --- |
${rows.join('\n')}
`
}
