import type { Command, Invocation } from '../../agent/cli/command.ts'
import type { Role, RoleName, Root } from '../../agent/codec/documents.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { decodeRoot, encodeRoot } from '../../agent/codec/root.ts'
import {
  listOption,
  parseExpiry,
  positionals,
  requiredOption,
  textOption,
  wholeOption,
} from '../command-words.ts'
import { readPublicKey } from '../key-file.ts'
import { asWrong, type RootFile, rootPath, trustedRoots, writeSigned } from '../root-files.ts'
import { printRoot } from '../root-print.ts'
import { signRoot } from '../root-sign.ts'

const roleOptions = {
  'add-root-key': { type: 'string', multiple: true },
  'remove-root-key': { type: 'string', multiple: true },
  'threshold-root': { type: 'string' },
  'add-release-key': { type: 'string', multiple: true },
  'remove-release-key': { type: 'string', multiple: true },
  'threshold-release': { type: 'string' },
  'add-operator-key': { type: 'string', multiple: true },
  'remove-operator-key': { type: 'string', multiple: true },
  'threshold-operator': { type: 'string' },
} as const

const roleHelp = Object.fromEntries(
  (['root', 'release', 'operator'] as const).flatMap(role => [
    [`add-${role}-key`, `Public key to add to the ${role} role; repeat for more`],
    [`remove-${role}-key`, `Public key to remove from the ${role} role; repeat for more`],
    [`threshold-${role}`, `How many ${role} keys must sign from now on`],
  ]),
)

export const rootNext: Command = {
  words: ['root', 'next'],
  args: '[--add-ROLE-key=PUB…] [--remove-ROLE-key=PUB…]',
  summary: 'Make the next root: other keys, thresholds, epoch, or a later expiry',
  options: {
    ...roleOptions,
    expires: { type: 'string', default: '365d' },
    'raise-epoch': { type: 'boolean', default: false },
    'sign-with': { type: 'string', multiple: true },
    directory: { type: 'string', default: 'root' },
  },
  optionHelp: {
    ...roleHelp,
    expires: 'From now, or a date: 365d, 2027-01-31 (default: 365d)',
    'raise-epoch': 'Void every release so far: versions begin again at 1',
    'sign-with': 'Private key, or public key of an ssh-agent, to sign with now; repeat for more',
    directory: 'Where roots lie (default: root)',
  },
  async run(invocation) {
    const { values } = invocation
    positionals(invocation.positionals, [])
    const directory = textOption(values, 'directory') ?? 'root'
    const { roots, root: old } = trustedRoots(directory)
    const path = rootPath(directory, old.version + 1)
    const bytes = encodeRoot(changeRoot(old, values))
    const root = asWrong(() => decodeRoot(bytes, path))
    const unsigned: RootFile = { path, root, bytes, signatures: Buffer.alloc(0) }
    const keys = listOption(values, 'sign-with')
    const file = signRoot([...roots, unsigned], roots.length, { keys, signatureFiles: [] })
    writeSigned(path, file)
    printRoot(invocation, [...roots, file], roots.length)
    return 0
  },
}

function changeRoot(old: Root, values: Invocation['values']): Root {
  const role = (name: RoleName) => changeRole(old.roles[name], name, values)
  return {
    fleet: old.fleet,
    version: old.version + 1,
    epoch: old.epoch + (values['raise-epoch'] === true ? 1 : 0),
    expires: parseExpiry(requiredOption(values, 'expires'), Date.now()),
    roles: { root: role('root'), release: role('release'), operator: role('operator') },
  }
}

function changeRole(old: Role, name: RoleName, values: Invocation['values']): Role {
  const keys = new Set(old.keys)
  for (const text of listOption(values, `remove-${name}-key`)) {
    if (keys.delete(readPublicKey(text).line)) continue
    throw new UsageError('usage', `Cannot remove "${text}": it is no ${name} key`)
  }
  for (const text of listOption(values, `add-${name}-key`)) {
    const { line } = readPublicKey(text)
    if (keys.has(line)) {
      throw new UsageError('usage', `Cannot add "${text}": it is a ${name} key already`)
    }
    keys.add(line)
  }
  return { threshold: wholeOption(values, `threshold-${name}`) ?? old.threshold, keys: [...keys] }
}
