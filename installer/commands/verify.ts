import { existsSync, readFileSync } from 'node:fs'
import type { Command } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { fingerprint, parsePublicKey } from '../../agent/codec/ssh-key.ts'
import { namespaces } from '../../agent/codec/sshsig.ts'
import { countSignatures, requireQuorum } from '../../agent/trust/quorum.ts'
import { positionals, textOption } from '../command-words.ts'
import { trustedRoots } from '../root-files.ts'
import { roleOf } from './sign.ts'

export const verify: Command = {
  words: ['verify'],
  args: 'FILE [--root=DIRECTORY]',
  summary: 'Check that FILE.sig holds a quorum for FILE: exit 0 if so, 1 if not',
  options: {
    namespace: { type: 'string', default: namespaces.release },
    signature: { type: 'string' },
    root: { type: 'string', default: 'root' },
  },
  optionHelp: {
    namespace: `What it was signed for (default: ${namespaces.release})`,
    signature: 'The signatures (default: FILE.sig)',
    root: 'Directory of the roots (default: root)',
  },
  async run({ values, positionals: words, json, print }) {
    const [path] = positionals(words, ['FILE'])
    const namespace = textOption(values, 'namespace') ?? namespaces.release
    const { root } = trustedRoots(textOption(values, 'root') ?? 'root')
    const role = root.roles[roleOf(namespace)]
    const signature = textOption(values, 'signature') ?? `${path}.sig`
    if (!existsSync(signature)) {
      throw new UsageError('missing', `Cannot open "${signature}": it does not exist`)
    }
    const document = { bytes: readFileSync(path), signatures: readFileSync(signature) }
    requireQuorum(document, { role, namespace, what: path })
    const { keys } = countSignatures(document, { role, namespace })
    const prints = [...keys].map(key => fingerprint(parsePublicKey(key)))
    const { threshold } = role
    const text = `${path}: ${keys.size} of ${threshold} signatures count: ${prints.join(', ')}`
    const state = { root: root.version, signed: keys.size, threshold }
    print(json ? { path, namespace, keys: prints, ...state } : text)
    return 0
  },
}
