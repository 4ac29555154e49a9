import type { Command } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { ROLE_NAMES } from '../../agent/codec/root.ts'
import { positionals, textOption } from '../command-words.ts'
import { createKeyFiles } from '../key-file.ts'

export const keysNew: Command = {
  words: ['keys', 'new'],
  args: 'root|release|operator NAME',
  summary: 'Make an Ed25519 key pair: NAME (0600) and NAME.pub',
  options: { directory: { type: 'string', default: 'keys' } },
  optionHelp: { directory: 'Where to put it (default: keys)' },
  async run({ values, positionals: words, json, print }) {
    const [role, name] = positionals(words, ['root|release|operator', 'NAME'])
    if (!ROLE_NAMES.some(known => known === role)) {
      throw new UsageError('usage', `Cannot make a "${role}" key: it is ${ROLE_NAMES.join(', ')}`)
    }
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name) || name.endsWith('.pub')) {
      const is = 'a name has letters, digits and ._- and is no path'
      const next = 'Give the folder with --directory'
      throw new UsageError('usage', `Cannot make "${name}": ${is}`, { next })
    }
    const directory = textOption(values, 'directory') ?? 'keys'
    const made = createKeyFiles(directory, name, `holdfast-${role}:${name}`)
    const { key, publicKey, fingerprint } = made
    print(json ? { role, name, ...made } : `${key}\n${publicKey}\n${fingerprint}`)
    return 0
  },
}
