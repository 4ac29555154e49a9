/**
 * Every code an error of Holdfast can carry, with what it means and what to do next. The codes are
 * part of the interface: reports, `-o json` and exit paths name them, and they never change meaning.
 * `docs/reference/errors.md` is generated from this table, and a test compares the two.
 */
export const errorCodes = {
  usage: { meaning: 'The command line is wrong', next: 'Run the command with --help' },
  config: {
    meaning: 'A configuration or build file is unreadable or wrong',
    next: 'Correct the line named in the message',
  },
  'not-root': { meaning: 'The command needs root', next: 'Run it again with sudo' },
  'port-taken': {
    meaning: 'The address to listen on is in use',
    next: 'Choose another with --listen',
  },
  'no-space': {
    meaning: 'The disk is full',
    next: 'Free space, then run it again: nothing was changed',
  },
  internal: { meaning: 'Holdfast itself is wrong', next: 'Report it with the log' },
  missing: {
    meaning: 'A file or a program that is needed is not there',
    next: 'Create or install what the message names',
  },
  denied: {
    meaning: 'The system refused access',
    next: 'Check owner and mode of what the message names',
  },
  json: {
    meaning: 'The bytes are not strict JSON (UTF-8, no duplicate keys, bounded)',
    next: 'Publish the document again',
  },
  schema: {
    meaning: 'A document has a missing, unknown or mistyped field',
    next: 'Publish the document again',
  },
  unreachable: {
    meaning: 'A server could not be reached or did not answer in time',
    next: 'The next poll tries again; check the address and the network',
  },
} as const satisfies Record<string, { meaning: string; next: string }>

/** A stable error code, one key of {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes
