import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostError, isErrno } from '../codec/errors.ts'
import { publicKeyOf } from '../codec/ssh-key.ts'
import { writeDurably } from '../files/durable.ts'

/** The key by which this host is known to a controller; the private half never leaves the host. */
export type HostKey = {
  /** `ssh-ed25519 AAAA…`, without a comment. */
  publicKey: string
  sign(bytes: Uint8Array): Buffer
}

/**
 * The host's Ed25519 key from `<stateDirectory>/host.key` (PKCS #8, mode 0600), made durably when
 * it is not there. Errors: HostError `corrupt-state` when the file holds something else.
 */
export function openHostKey(stateDirectory: string): HostKey {
  const path = join(stateDirectory, 'host.key')
  const privateKey = readKey(path) ?? makeKey(path)
  const raw = Buffer.from(createPublicKey(privateKey).export({ format: 'jwk' }).x!, 'base64url')
  return { publicKey: publicKeyOf(raw).line, sign: bytes => sign(null, bytes, privateKey) }
}

function readKey(path: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(readFileSync(path))
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return undefined
    throw new HostError('corrupt-state', `Cannot read "${path}": it is not a private key`, {
      cause,
    })
  }
  throw new HostError('corrupt-state', `Cannot use "${path}": it is not an Ed25519 key`)
}

function makeKey(path: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519')
  writeDurably(path, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600)
  return privateKey
}
