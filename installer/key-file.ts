import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno, RejectedError, UsageError } from '../agent/codec/errors.ts'
import {
  encodePrivateKey,
  fingerprint,
  KEY_TYPE,
  type PrivateKey,
  type PublicKey,
  parsePrivateKey,
  parsePublicKey,
  publicKeyOf,
} from '../agent/codec/ssh-key.ts'
import { pointOf } from '../agent/trust/ed25519.ts'

/** Far above any key file; keeps a wrong path, such as an image, out of memory. */
const KEY_FILE_BYTES_MAX = 64 * 1024

export type NewKey = { key: string; publicKey: string; line: string; fingerprint: string }

/**
 * Makes `<directory>/<name>` (0600) and `<name>.pub`, as ssh-keygen would. Errors: UsageError
 * `exists` when either is there; then nothing is changed.
 */
export function createKeyFiles(directory: string, name: string, comment: string): NewKey {
  const key = join(directory, name)
  const publicKey = `${key}.pub`
  for (const path of [key, publicKey]) {
    if (existsSync(path))
      throw new UsageError('exists', `Cannot make "${path}": it is there already`)
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const seed = randomBytes(32)
  const made: PrivateKey = { seed, comment, publicKey: publicKeyOf(pointOf(seed)) }
  writeFileSync(key, encodePrivateKey(made), { mode: 0o600, flag: 'wx', flush: true })
  try {
    writeFileSync(publicKey, `${made.publicKey.line} ${comment}\n`, { flag: 'wx', flush: true })
  } catch (error) {
    rmSync(key)
    throw error
  }
  return { key, publicKey, line: made.publicKey.line, fingerprint: fingerprint(made.publicKey) }
}

/** A public key given as a line, as a `.pub` file, or as a private key file without passphrase. */
export function readPublicKey(text: string): PublicKey {
  if (text.startsWith(`${KEY_TYPE} `)) return named(text, () => parsePublicKey(text))
  const content = readKeyFile(text)
  return named(text, () => {
    if (!content.startsWith('-----BEGIN')) return parsePublicKey(content)
    return checked(parsePrivateKey(content)).publicKey
  })
}

/** Whether the file holds a public key: then its private half is in an agent or a token. */
export function isPublicKeyFile(path: string): boolean {
  return !readKeyFile(path).startsWith('-----BEGIN')
}

/** Errors: UsageError `key`, `key-encrypted`, `missing`. */
export function readPrivateKey(path: string): PrivateKey {
  const content = readKeyFile(path)
  return named(path, () => checked(parsePrivateKey(content)))
}

function checked(key: PrivateKey): PrivateKey {
  if (pointOf(key.seed).equals(key.publicKey.point)) return key
  throw new RejectedError('key', 'Cannot use "private key": its public half is of another key')
}

function readKeyFile(path: string): string {
  try {
    const { size } = statSync(path)
    if (size > KEY_FILE_BYTES_MAX) throw new UsageError('key', `Cannot use "${path}": it is no key`)
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) {
      const next = 'Make it with holdfast keys new, or correct the path'
      throw new UsageError('missing', `Cannot open "${path}": it does not exist`, { cause, next })
    }
    if (isErrno(cause, 'EISDIR')) {
      throw new UsageError('key', `Cannot use "${path}": it is a directory`, { cause })
    }
    throw cause
  }
}

/** The codec does not know the file: a person wants its name. */
function named<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof RejectedError)) throw cause
    const is = cause.message.slice(cause.message.indexOf(': ') + 2)
    throw new UsageError(cause.code, `Cannot use "${path}": ${is}`, { cause, next: cause.next })
  }
}
