/** Every event of the agent's log; docs/reference/log-events.md is made from this table. */
export const logEvents = {
  'agent.started': 'The agent runs; `version`, `bootId`, `phase`',
  'agent.stopped': 'The agent ends because it was asked to',
  'control.failed': 'A request on the control socket could not be answered',
  'control.requested': 'A person asked for something on the control socket; `command`',
  'effect.done': 'A step outside the core was made; `effect`, `ms`',
  'effect.failed': 'A step outside the core failed, and the core was told; `effect`, `code`',
  'event.decided':
    'What the core was told (`told`) and what it wants done (`effects`); level debug',
  'floor.rebuilt': 'A damaged slot of the floor was replaced from another copy',
  'fetch.progress': 'Bytes and paths of the closure so far',
  'journal.damaged': 'The journal was not what was written; reality takes its place',
  'phase.changed': 'The host went `from` one phase `to` another',
  'poll.backoff': 'A source that keeps failing is left alone for `ms`',
  'release.found': 'A release was verified; `release`, `system`, `news`',
  'release.refused': 'What a source offers was refused; `source`, `code`',
  'roots.damaged': 'A stored root was not what was once trusted; it is read from the sources again',
  'source.failed': 'A source could not be read; `source`, `code`',
  'state.unwritable': 'The journal cannot be written: nothing is installed until it can',
  'tidy.failed': 'Leftovers could not be removed; the next time tries again',
  'report.disabled': 'This host reports to nobody, since it has no usable key',
  'report.failed': 'The controller did not take a report; it is tried again',
  'report.resumed': 'The controller takes reports again',
  'host.enrolled': 'The controller knows this host now',
} as const satisfies Record<string, string>

export type LogEvent = keyof typeof logEvents
