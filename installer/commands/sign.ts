import { existsSync, readFileSync } from 'node:fs'
import type { Command } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { fingerprint, parsePublicKey } from '../../agent/codec/ssh-key.ts'
import { namespaces, parseSshsig, SIGNATURES_MAX, splitArmors } from '../../agent/codec/sshsig.ts'
import { countSignatures } from '../../agent/trust/quorum.ts'
import { listOption, positionals, requiredOption, textOption } from '../command-words.ts'
import { trustedRoots, writeSigned } from '../root-files.ts'
import { readArmors } from '../root-sign.ts'
import { addSignatures, signDocument, verifyArmor } from '../sign-document.ts'

export const sign: Command = {
  words: ['sign'],
  args: 'FILE --namespace=NAME --key=KEY | --signature=FILE',
  summary: 'Add signatures to FILE.sig; one that does not count is refused',
  options: {
    namespace: { type: 'string' },
    key: { type: 'string', multiple: true },
    signature: { type: 'string', multiple: true },
    root: { type: 'string' },
  },
  optionHelp: {
    namespace: 'What the signature is for: holdfast-release, holdfast-operator, holdfast-root',
    key: 'Private key, or public key of an ssh-agent, to sign with; repeat for more',
    signature: 'File that ssh-keygen -Y sign made; repeat for more',
    root: 'Directory of the roots: then a key outside the role is refused',
  },
  async run({ values, positionals: words, json, print }) {
    const [path] = positionals(words, ['FILE'])
    const namespace = requiredOption(values, 'namespace')
    const roleName = roleOf(namespace)
    const bytes = readFileSync(path)
    const made = listOption(values, 'key').map(keyFile =>
      signDocument({ bytes, namespace, keyFile }),
    )
    const armors = [...made, ...listOption(values, 'signature').flatMap(readArmors)]
    if (armors.length === 0) {
      throw new UsageError('usage', `Cannot sign "${path}": give --key or --signature`)
    }
    for (const armor of armors) verifyArmor({ bytes, namespace, armor })
    const directory = textOption(values, 'root')
    const role = directory && trustedRoots(directory).root.roles[roleName]
    if (role) for (const armor of armors) requireMember(armor, role.keys, path)
    const before = existsSync(`${path}.sig`) ? readFileSync(`${path}.sig`) : Buffer.alloc(0)
    const document = addSignatures({ bytes, signatures: before }, armors)
    if (splitArmors(document.signatures).length > SIGNATURES_MAX) {
      throw new UsageError(
        'signature',
        `Cannot sign "${path}": more than ${SIGNATURES_MAX} are there`,
      )
    }
    writeSigned(path, document)
    const keys = armors.map(armor => fingerprint(parseSshsig(armor).publicKey))
    const signed = role ? countSignatures(document, { role, namespace }).keys.size : undefined
    const threshold = role ? role.threshold : undefined
    const counted = role ? `: ${signed} of ${threshold} signatures of the role ${roleName}` : ''
    const text = `${path}.sig  signed by ${keys.join(', ')}${counted}`
    print(json ? { path, signature: `${path}.sig`, namespace, keys, signed, threshold } : text)
    return 0
  },
}

export function roleOf(namespace: string): keyof typeof namespaces {
  for (const [role, known] of Object.entries(namespaces)) {
    if (known === namespace) return role as keyof typeof namespaces
  }
  const is = `it is one of ${Object.values(namespaces).join(', ')}`
  throw new UsageError('usage', `Cannot use "--namespace=${namespace}": ${is}`)
}

function requireMember(armor: string, keys: string[], path: string): void {
  const { publicKey } = parseSshsig(armor)
  if (keys.includes(publicKey.line)) return
  const known = keys.map(key => fingerprint(parsePublicKey(key))).join(', ')
  const is = `the key ${fingerprint(publicKey)} is not one of the role (${known})`
  throw new UsageError('signature', `Cannot sign "${path}": ${is}`)
}
