import type { Role, SignedDocument } from '../agent/codec/documents.ts'
import { UsageError } from '../agent/codec/errors.ts'
import { fingerprint, parsePublicKey } from '../agent/codec/ssh-key.ts'
import { namespaces, parseSshsig } from '../agent/codec/sshsig.ts'
import { countSignatures } from '../agent/trust/quorum.ts'
import { readPublicKey } from './key-file.ts'
import { readArmors } from './root-sign.ts'
import { addSignatures, signDocument, verifyArmor } from './sign-document.ts'

export type ReleaseSigners = {
  /** Private keys, or public keys of an ssh-agent. */
  keys: string[]
  /** Files that `ssh-keygen -Y sign -n holdfast-release` made. */
  signatureFiles: string[]
}

/**
 * Fails with `key-role` before any work is done when a key may not sign releases, or when all of
 * them together cannot be enough.
 */
export function checkSigners({ keys, signatureFiles }: ReleaseSigners, role: Role): void {
  const lines = new Set<string>()
  for (const file of keys) {
    const key = readPublicKey(file)
    if (!role.keys.includes(key.line)) throw notOfRole(file, fingerprint(key), role)
    lines.add(key.line)
  }
  if (lines.size + signatureFiles.length >= role.threshold) return
  const is = `${lines.size} keys are at hand, and the root asks for ${role.threshold}`
  throw new UsageError('key-role', `Cannot sign "release.json": ${is}`)
}

/** Signs the exact bytes with every key, and adds the signatures that others made. */
export function signRelease(bytes: Buffer, signers: ReleaseSigners, role: Role): SignedDocument {
  const namespace = namespaces.release
  const made = signers.keys.map(keyFile => signDocument({ bytes, namespace, keyFile }))
  const given = signers.signatureFiles.flatMap(file => {
    return readArmors(file).map(armor => checkArmor({ bytes, armor, file, role }))
  })
  const document = addSignatures({ bytes, signatures: Buffer.alloc(0) }, [...made, ...given])
  const { size } = countSignatures(document, { role, namespace }).keys
  if (size >= role.threshold) return document
  const is = `${size} of ${role.threshold} signatures are there`
  throw new UsageError('key-role', `Cannot publish "release.json": ${is}`)
}

type Given = { bytes: Buffer; armor: string; file: string; role: Role }

function checkArmor({ bytes, armor, file, role }: Given): string {
  verifyArmor({ bytes, namespace: namespaces.release, armor })
  const { publicKey } = parseSshsig(armor)
  if (role.keys.includes(publicKey.line)) return armor
  throw notOfRole(file, fingerprint(publicKey), role)
}

function notOfRole(file: string, key: string, role: Role): UsageError {
  const known = role.keys.map(line => fingerprint(parsePublicKey(line))).join(', ')
  const is = `the key ${key} is no release key (${known})`
  return new UsageError('key-role', `Cannot sign with "${file}": ${is}`)
}
