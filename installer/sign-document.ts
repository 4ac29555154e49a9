import { spawnSync } from 'node:child_process'
import type { SignedDocument } from '../agent/codec/documents.ts'
import { RejectedError, UsageError } from '../agent/codec/errors.ts'
import { encodeSshsig, parseSshsig, signedBytes, splitArmors } from '../agent/codec/sshsig.ts'
import { signEd25519, verifyEd25519 } from '../agent/trust/ed25519.ts'
import { isPublicKeyFile, readPrivateKey } from './key-file.ts'

export type SignRequest = {
  bytes: Buffer
  /** One of `namespaces`. */
  namespace: string
  /** A private key without passphrase; or a public key whose private half an ssh-agent holds. */
  keyFile: string
}

/** How long ssh-keygen may wait for a person who touches a token or types a PIN. */
const SSH_KEYGEN_MS_MAX = 120_000

/** Signs the exact bytes; the armor has been verified. Errors: UsageError `key`, `signature`. */
export function signDocument({ bytes, namespace, keyFile }: SignRequest): string {
  const armor = isPublicKeyFile(keyFile)
    ? signByAgent({ bytes, namespace, keyFile })
    : signByFile({ bytes, namespace, keyFile })
  verifyArmor({ bytes, namespace, armor })
  return armor
}

function signByFile({ bytes, namespace, keyFile }: SignRequest): string {
  const { seed, publicKey } = readPrivateKey(keyFile)
  const head = { publicKey, namespace, reserved: Buffer.alloc(0), hash: 'sha512' as const }
  return encodeSshsig({ ...head, signature: signEd25519(signedBytes(bytes, head), seed) })
}

/** ssh-keygen finds the private half in the agent of SSH_AUTH_SOCK. */
function signByAgent({ bytes, namespace, keyFile }: SignRequest): string {
  const words = ['-Y', 'sign', '-n', namespace, '-f', keyFile]
  const { status, stdout, stderr, error } = spawnSync('ssh-keygen', words, {
    input: bytes,
    encoding: 'utf8',
    timeout: SSH_KEYGEN_MS_MAX,
  })
  if (error !== undefined) {
    const is = 'it is a public key, and ssh-keygen cannot be run'
    throw new UsageError('missing', `Cannot sign with "${keyFile}": ${is}`, { cause: error })
  }
  if (status === 0) return stdout
  const is = stderr.trim().split('\n').at(-1) ?? 'ssh-keygen failed'
  const next = 'Name the private key file, or load it with ssh-add'
  throw new UsageError('key', `Cannot sign with "${keyFile}": ${is}`, { next })
}

/** Errors: UsageError `signature` unless the armor is a valid signature of these bytes for this. */
export function verifyArmor(input: { bytes: Buffer; namespace: string; armor: string }): void {
  const { bytes, namespace, armor } = input
  try {
    const signature = parseSshsig(armor)
    if (signature.namespace !== namespace) {
      throw notCounting(`its namespace is "${signature.namespace}", not "${namespace}"`)
    }
    const { publicKey } = signature
    if (verifyEd25519(signedBytes(bytes, signature), signature.signature, publicKey.point)) return
    throw notCounting('it is not of these bytes')
  } catch (cause) {
    if (!(cause instanceof RejectedError)) throw cause
    throw new UsageError(cause.code, cause.message, { cause, next: cause.next })
  }
}

/** Appends armors; the same key's earlier signature gives way to the new one. */
export function addSignatures(document: SignedDocument, armors: string[]): SignedDocument {
  const added = new Set(armors.map(armor => parseSshsig(armor).publicKey.line))
  const kept = splitArmors(document.signatures).filter(armor => !isBy(armor, added))
  const text = [...kept, ...armors].map(armor => `${armor.trim()}\n`).join('')
  return { bytes: document.bytes, signatures: Buffer.from(text) }
}

function isBy(armor: string, keys: Set<string>): boolean {
  try {
    return keys.has(parseSshsig(armor).publicKey.line)
  } catch (error) {
    if (error instanceof RejectedError) return false
    throw error
  }
}

function notCounting(is: string): UsageError {
  return new UsageError('signature', `Cannot use "signature": ${is}`)
}
