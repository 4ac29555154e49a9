/**
 * Every code an error of Holdfast can carry, with what it means and what to do next. The codes are
 * part of the interface: reports, `-o json` and exit paths name them, and they never change
 * meaning.
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
  'old-node': {
    meaning: 'The Node that runs Holdfast is too old',
    next: 'Run it with Node 24 or newer, such as node_modules/.bin/node',
  },
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
    next: 'Check the address, the network and that the server runs; agents try again by themselves',
  },
  program: {
    meaning: 'A program that was started failed',
    next: 'Read what it said in the message',
  },
  network: {
    meaning: 'The network for hosts could not be made',
    next: 'Remove unused bridges and try again',
  },
  'host-exists': {
    meaning: 'A host of that name exists already',
    next: 'Destroy it first, or choose another name',
  },
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
  'corrupt-state': {
    meaning: 'A file of the state directory is not what was written there',
    next: 'Restore it from a backup, or remove what the message names to start anew',
  },
  'state-busy': {
    meaning: 'Another process uses the same state directory',
    next: 'Stop the other process, or choose another directory with --state',
  },
  unauthorized: {
    meaning: 'A request carries no credential that the controller knows',
    next: 'Give the operator token with --token-file, or enrol the host again',
  },
  forbidden: {
    meaning: 'The credential is known, and does not allow this',
    next: 'Use the credential of the host or person that may',
  },
  replayed: {
    meaning: 'A report has a counter that was already seen',
    next: 'Nothing: the host sends its next report with a greater one',
  },
  'join-token': {
    meaning: 'A join token is unknown, used up, expired or bound to another host',
    next: 'Make a new one with holdfast token new HOST',
  },
  'already-enrolled': {
    meaning: 'The host name is enrolled with another key',
    next: 'Remove the old host with holdfast delete host, then enrol again',
  },
  'no-such-host': {
    meaning: 'The controller knows no host of that name',
    next: 'Look at holdfast get hosts',
  },
  'no-rollout': {
    meaning: 'The controller knows no such rollout',
    next: 'Publish a release, or wait for the first report of a host',
  },
  'no-such-resource': {
    meaning: 'The controller has nothing at that address',
    next: 'See docs/reference/http-api.md',
  },
  'too-large': { meaning: 'A request is larger than its limit', next: 'Send less at once' },
  'too-many-requests': {
    meaning: 'Too many requests failed, or too many are open',
    next: 'Wait a minute and try again',
  },
  quorum: {
    meaning: 'A document lacks enough valid signatures by distinct keys of its role',
    next: 'Sign it with the keys that the root names, then publish again',
  },
  threshold: {
    meaning: 'A role in the root has an impossible threshold, or names a key twice',
    next: 'Make a root whose thresholds are 1 to the number of its keys',
  },
  version: {
    meaning: 'A version or epoch is not a whole number that counts',
    next: 'Publish with the next version',
  },
  rollback: {
    meaning: 'A document is older than one this host already trusts',
    next: 'Publish a newer version that points at the older system',
  },
  equivocation: {
    meaning: 'Two different documents carry the same version',
    next: 'Publish a newer version, and find out who signed the other document',
  },
  expired: {
    meaning: 'A root or release has expired, so nothing new is installed',
    next: 'Publish a release or root with a later expiry, and check the clock of the host',
  },
  'no-target': {
    meaning: 'The release names no system for this host, or a host with an impossible name',
    next: 'Add the host to the release',
  },
  'other-fleet': {
    meaning: 'A document belongs to another fleet or channel',
    next: 'Check the sources in the seed and the project file',
  },
  pin: {
    meaning: 'The first root is not the one that the seed pins',
    next: 'Check that seed and source belong to the same fleet',
  },
  'root-version': {
    meaning: 'A root does not follow the one before it by exactly one',
    next: 'Publish every version of the root, in order',
  },
  requires: {
    meaning: 'A document needs a feature that this version does not have',
    next: 'Update Holdfast there first',
  },
  key: {
    meaning: 'A key is malformed, weak, or of a kind that is not supported',
    next: 'Make an Ed25519 key: holdfast keys new, or ssh-keygen -t ed25519',
  },
  'key-encrypted': {
    meaning: 'A private key has a passphrase',
    next: 'Sign with ssh-keygen -Y sign, which asks for it',
  },
  signature: {
    meaning: 'A signature file holds no signature that counts',
    next: 'Sign the same bytes again with a key and namespace of the role',
  },
  exists: {
    meaning: 'Something that must not be overwritten is already there',
    next: 'Choose another name, or remove it first',
  },
  floor: {
    meaning: 'What this host knows of the newest release is damaged in every copy',
    next: 'Restore the state directory, or create the host again',
  },
  http: {
    meaning: 'A server answered something other than the document that was asked for',
    next: 'Check the address and the server; agents try again by themselves',
  },
  git: {
    meaning: 'A git repository could not be read',
    next: 'Check the repository and the access to it; agents try again by themselves',
  },
  'no-branch': {
    meaning: 'The git branch does not exist',
    next: 'Publish to it, or correct the name of the branch',
  },
  'no-release': {
    meaning: 'The source holds no release of the channel',
    next: 'Publish one, or correct the name of the channel',
  },
  'source-tree': {
    meaning: 'What lies at a source is not a release tree of plain files',
    next: 'Remove what the message names and publish again',
  },
  oversized: {
    meaning: 'What a source offers is larger than its limit',
    next: 'Make it smaller: the limits are in docs/reference/formats.md',
  },
  torn: {
    meaning: 'A document changed while it was read',
    next: 'The next poll reads it again',
  },
  'no-project': {
    meaning: 'There is no holdfast.json here or above',
    next: 'Run it in the project, or name the file with --project=FILE',
  },
  'unknown-host': {
    meaning: 'A release names no such host, or no host at all',
    next: 'Check the name; HOST=SYSTEM adds a host',
  },
  'key-role': {
    meaning: 'A key may not sign releases, or too few that may were used',
    next: 'Name release keys in holdfast.json, or give more signatures with --signature',
  },
  push: {
    meaning: 'The git server did not take the new commit',
    next: 'Check the access to the branch, then publish again: no host saw a change',
  },
  layout: {
    meaning: 'A system lacks the layout that Holdfast boots and switches, or it is wrong',
    next: 'Build the system again with holdfast build and publish it',
  },
  'root-link': {
    meaning: 'Files of their own stand where the root must point into the store',
    next: 'Move what the message names out of the way',
  },
  'pre-init': {
    meaning: 'A step that makes the root out of the store failed; the others were done',
    next: 'Correct what the messages name, then run it again: it is safe to repeat',
  },
  registration: {
    meaning: 'The path registration of an image is malformed',
    next: 'Make the image again',
  },
  narinfo: {
    meaning: 'A narinfo is malformed, or of another path',
    next: 'Publish the path again, or remove the mirror that serves it',
  },
  'cache-key': {
    meaning: 'A key or signature of a binary cache is malformed',
    next: 'Name a file that holds one line of the form NAME:BASE64',
  },
  damaged: {
    meaning: 'The content of a store path is not what was registered',
    next: 'Repair the path with nix-store --repair-path, or build it again',
  },
  'cache-conflict': {
    meaning: 'The cache already holds another content of a store path, or is of another store',
    next: 'Publish to another cache directory, or substitute the path from this cache',
  },
  'store-write': {
    meaning: 'The store cannot be written',
    next: 'Check the file system that holds it: dmesg says more',
  },
  compression: {
    meaning: 'A file of a cache is not what its compression should give',
    next: 'Publish the path again, with zstd, xz or none',
  },
  unhealthy: {
    meaning: 'A system did not prove healthy in time after the switch, and the host went back',
    next: 'Look at the probes in the message and publish a new release',
  },
  interrupted: {
    meaning: 'Several attempts at one release ended in a restart of the host',
    next: 'Read the log, then publish a new release or run holdfast-agent reconcile --retry',
  },
  'rolled-back': {
    meaning: 'A person rolled this release back on the host',
    next: 'Publish a new release, or run holdfast-agent reconcile --retry',
  },
  revert: {
    meaning: 'The way back to the older system failed too, so the host waits for a person',
    next: 'Put the host right, then run holdfast-agent reconcile',
  },
  drift: {
    meaning: 'What ran was not the committed system, which was activated again',
    next: 'Change the system with a release, not by hand',
  },
  'state-write': {
    meaning: 'The state directory cannot be written, so nothing is installed',
    next: 'Free space or make the directory writable; the agent goes on by itself',
  },
  'no-agent': {
    meaning: 'No agent answers on the control socket of this host',
    next: 'Start it: systemctl start holdfast-agent',
  },
  'no-generation': {
    meaning: 'The host has no older generation to go back to',
    next: 'Publish an older system as a new release',
  },
  'not-plain': {
    meaning: 'What should be a small plain file is a directory, a pipe, a device or too large',
    next: 'Put a plain file there, and publish a new release when it is in a system',
  },
  busy: {
    meaning: 'The host is in a step that cannot be broken off',
    next: 'Run it again when holdfast-agent status shows another phase',
  },
} as const satisfies Record<string, { meaning: string; next: string }>

/** A stable error code, one key of {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes
