import { basename, dirname, resolve } from 'node:path'
import type { Command } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { listOption, positionals, textOption } from '../command-words.ts'
import { readRoots, rootPath, writeSigned } from '../root-files.ts'
import { printRoot } from '../root-print.ts'
import { signRoot } from '../root-sign.ts'

export const rootSign: Command = {
  words: ['root', 'sign'],
  args: 'VERSION|FILE --key=KEY | --signature=FILE',
  summary: 'Add signatures to a root; one that does not count is refused',
  options: {
    key: { type: 'string', multiple: true },
    signature: { type: 'string', multiple: true },
    directory: { type: 'string', default: 'root' },
  },
  optionHelp: {
    key: 'Private key, or public key of an ssh-agent, to sign with; repeat for more',
    signature: 'File that ssh-keygen -Y sign -n holdfast-root made; repeat for more',
    directory: 'Where roots lie (default: root)',
  },
  async run(invocation) {
    const { values } = invocation
    const [which] = positionals(invocation.positionals, ['VERSION|FILE'])
    const keys = listOption(values, 'key')
    const signatureFiles = listOption(values, 'signature')
    if (keys.length + signatureFiles.length === 0) {
      throw new UsageError('usage', 'Cannot sign "nothing": give --key or --signature')
    }
    const path = /^[0-9]+$/.test(which)
      ? rootPath(textOption(values, 'directory') ?? 'root', Number(which))
      : which
    const roots = readRoots(dirname(path))
    const index = roots.findIndex(root => basename(root.path) === basename(path))
    if (index < 0) throw new UsageError('missing', `Cannot open "${resolve(path)}": it is no root`)
    roots[index] = signRoot(roots, index, { keys, signatureFiles })
    writeSigned(roots[index].path, roots[index])
    printRoot(invocation, roots, index)
    return 0
  },
}
