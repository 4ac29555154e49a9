import type { Command, Invocation } from '../../agent/cli/command.ts'
import type { Role, RoleName, Root } from '../../agent/codec/documents.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { isFleetName } from '../../agent/codec/names.ts'
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
import { asWrong, listVersions, type RootFile, rootPath, writeSigned } from '../root-files.ts'
import { printRoot } from '../root-print.ts'
import { signRoot } from '../root-sign.ts'

export const rootInit: Command = {
  words: ['root', 'init'],
  args: '--fleet=NAME --root-key=PUB… --release-key=PUB…',
  summary: 'Make the first root of a fleet: who may say what',
  options: {
    fleet: { type: 'string' },
    'root-key': { type: 'string', multiple: true },
    'release-key': { type: 'string', multiple: true },
    'operator-key': { type: 'string', multiple: true },
    'threshold-root': { type: 'string' },
    'threshold-release': { type: 'string' },
    'threshold-operator': { type: 'string' },
    expires: { type: 'string', default: '365d' },
    'sign-with': { type: 'string', multiple: true },
    directory: { type: 'string', default: 'root' },
  },
  optionHelp: {
    fleet: 'Name of the fleet',
    'root-key': 'Public key that may sign roots: a file or a line; repeat for more',
    'release-key': 'Public key that may sign releases; repeat for more',
    'operator-key': 'Public key that may sign operator statements (default: the release keys)',
    'threshold-root': 'How many root keys must sign (default: 1)',
    'threshold-release': 'How many release keys must sign (default: 1)',
    'threshold-operator': 'How many operator keys must sign (default: 1)',
    expires: 'From now, or a date: 365d, 2027-01-31 (default: 365d)',
    'sign-with': 'Private key, or public key of an ssh-agent, to sign with now; repeat for more',
    directory: 'Where roots lie (default: root)',
  },
  async run(invocation) {
    const { values } = invocation
    positionals(invocation.positionals, [])
    const directory = textOption(values, 'directory') ?? 'root'
    const [version] = listVersions(directory)
    if (version !== undefined) {
      const path = rootPath(directory, version)
      const next = 'Change it with holdfast root next, or choose another --directory'
      throw new UsageError('exists', `Cannot make a first root: "${path}" is there`, { next })
    }
    const path = rootPath(directory, 1)
    const bytes = encodeRoot(readFirst(values))
    const root = asWrong(() => decodeRoot(bytes, path))
    const unsigned: RootFile = { path, root, bytes, signatures: Buffer.alloc(0) }
    const keys = listOption(values, 'sign-with')
    const file = signRoot([unsigned], 0, { keys, signatureFiles: [] })
    writeSigned(path, file)
    printRoot(invocation, [file], 0)
    return 0
  },
}

function readFirst(values: Invocation['values']): Root {
  const fleet = requiredOption(values, 'fleet')
  if (!isFleetName(fleet)) {
    const is = 'a name has 1 to 64 letters, digits and ._-'
    throw new UsageError('usage', `Cannot use "--fleet=${fleet}": ${is}`)
  }
  const release = readRole(values, 'release')
  const given = listOption(values, 'operator-key').length > 0
  const operator = given
    ? readRole(values, 'operator')
    : { ...release, threshold: wholeOption(values, 'threshold-operator') ?? 1 }
  const roles = { root: readRole(values, 'root'), release, operator }
  const expires = parseExpiry(requiredOption(values, 'expires'), Date.now())
  return { fleet, version: 1, epoch: 1, expires, roles }
}

function readRole(values: Invocation['values'], name: RoleName): Role {
  const keys = listOption(values, `${name}-key`).map(text => readPublicKey(text).line)
  if (keys.length === 0) {
    const next = `Make one with holdfast keys new ${name} NAME`
    throw new UsageError('usage', `Cannot go on without "--${name}-key": it is required`, { next })
  }
  return { threshold: wholeOption(values, `threshold-${name}`) ?? 1, keys }
}
