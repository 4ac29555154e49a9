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
  program: { meaning: 'A program that was started failed', next: 'Read what it said in the message' },
  network: { meaning: 'The network for hosts could not be made', next: 'Remove unused bridges and try again' },
  'host-exists': { meaning: 'A host of that name exists already', next: 'Destroy it first, or choose another name' },
  'no-host': { meaning: 'There is no host of that name', next: 'Run holdfast get hosts' },
  boot: { meaning: 'A host did not start', next: 'Read its console log' },
  'missing-path': {
    meaning: 'A store path is not registered as valid in this store',
    next: 'Fetch or build it first',
  },
  'store-schema': {
    meaning: 'The registry of the store is of another schema, or is no registry',
    next: 'Use the Nix that made it, or point to another store',
  },
  unpackable: {
    meaning: 'A device, socket or pipe lies where only files, directories and links may be',
    next: 'Remove it from the directory that is packed',
  },
  nar: { meaning: 'An archive breaks the rules of its format', next: 'Publish the path again' },
  'path-hash': {
    meaning: 'A store path has another hash or size than the signed manifest says',
    next: 'Publish it again, or remove the mirror that serves it',
  },
  'closure-digest': {
    meaning: 'A closure manifest is not the one that the release names',
    next: 'Copy the closures directory to the mirrors again',
  },
  'not-found': {
    meaning: 'No cache has a file that is needed',
    next: 'Publish it again, or copy the cache to the mirrors',
  },
  base32: {
    meaning: 'A hash is not written as Nix writes it',
    next: 'Publish the document again',
  },
  'store-path': {
    meaning: 'A path is not a store path',
    next: 'Name a path of the form /nix/store/<hash>-<name>',
  },
  closure: {
    meaning: 'A closure manifest is not one whole closure',
    next: 'Publish the system again',
  },
  'switch-busy': {
    meaning: 'Another switch is running on this host',
    next: 'Wait for it to end, then run it again',
  },
  activation: {
    meaning: 'An activation could not be started, or was asked for under a bad name',
    next: 'Look at the log of the service manager',
  },
  services: {
    meaning: 'The service manager of the host does not answer',
    next: 'Check with systemctl status',
  },
  'unit-failed': {
    meaning: 'A unit has failed that had not failed before the switch',
    next: 'Look at its log, correct it and publish a new release',
  },
  'source-lost': {
    meaning: 'No source can be reached any more that could be before the switch',
    next: 'Check what the release changed in the network, and publish a new one',
  },
  'probe-failed': {
    meaning: 'A health probe of the system got another answer than it wants',
    next: 'Correct what the message names and publish a new release',
  },
  'probe-timeout': {
    meaning: 'A health probe of the system got no answer in time',
    next: 'Correct what the message names and publish a new release',
  },
  'probe-file': {
    meaning: 'A file in the health directory of the system is not a probe',
    next: 'Correct the file and publish a new release',
  },
} as const satisfies Record<string, { meaning: string; next: string }>

/** A stable error code, one key of {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes
