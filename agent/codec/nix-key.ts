/**
 * Keys and signatures of Nix binary caches, Ed25519. Each is one line of text:
 *
 *   public key = NAME ":" base64( 32 bytes )
 *   secret key = NAME ":" base64( 32 bytes of seed, then the 32 bytes of the public key )
 *   signature  = NAME ":" base64( 64 bytes )
 *   NAME       = 1*255( printable ASCII without space and colon ), such as cache.example.org-1
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { RejectedError } from './errors.ts'

export type NixPublicKey = { name: string; key: KeyObject }
/** `publicKey` is the text that goes into `trusted-public-keys`. */
export type NixSecretKey = { name: string; key: KeyObject; publicKey: string }

const line = /^([!-9;-~]{1,255}):([A-Za-z0-9+/]+={0,2})$/
/** What precedes the raw bytes in a DER key (RFC 8410). */
const secretHeader = Buffer.from('302e020100300506032b657004220420', 'hex')
const publicHeader = Buffer.from('302a300506032b6570032100', 'hex')

/** A new secret key, as the text of its file, without a line feed. */
export function generateNixKey(name: string): string {
  const { privateKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32)
  const text = `${name}:${Buffer.concat([seed, rawPublicKey(privateKey)]).toString('base64')}`
  parseNixSecretKey(text)
  return text
}

/** Fails with `cache-key`, and never names the secret. White space around it is left out. */
export function parseNixSecretKey(text: string): NixSecretKey {
  const { name, bytes } = takeApart(text.trim(), 64, 'secret key')
  const der = Buffer.concat([secretHeader, bytes.subarray(0, 32)])
  const key = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' })
  const raw = rawPublicKey(key)
  if (!raw.equals(bytes.subarray(32))) throw refuse('secret key', 'its two halves do not fit')
  return { name, key, publicKey: `${name}:${raw.toString('base64')}` }
}

/** Fails with `cache-key`. White space around it is left out. */
export function parseNixPublicKey(text: string): NixPublicKey {
  const { name, bytes } = takeApart(text.trim(), 32, 'public key')
  const der = Buffer.concat([publicHeader, bytes])
  return { name, key: createPublicKey({ key: der, type: 'spki', format: 'der' }) }
}

/** The signature of a fingerprint, as a narinfo's `Sig` line and the registry hold it. */
export function signWithNixKey(key: NixSecretKey, fingerprint: string): string {
  return `${key.name}:${sign(null, Buffer.from(fingerprint), key.key).toString('base64')}`
}

/** Whether one of `keys` has the signature's name and made it; false for a malformed signature. */
export function verifyNixSignature(
  keys: NixPublicKey[],
  fingerprint: string,
  signature: string,
): boolean {
  if (!isNixSignature(signature)) return false
  const { name, bytes } = takeApart(signature, 64, 'signature')
  const data = Buffer.from(fingerprint)
  return keys.some(one => one.name === name && verify(null, data, one.key, bytes))
}

/** Whether `text` has the form of a signature; says nothing about who made it. */
export function isNixSignature(text: string): boolean {
  const [, , base64 = ''] = line.exec(text) ?? []
  const bytes = Buffer.from(base64, 'base64')
  return bytes.length === 64 && bytes.toString('base64') === base64
}

function takeApart(text: string, length: number, what: string): { name: string; bytes: Buffer } {
  const [, name, base64] = line.exec(text) ?? []
  if (name === undefined || base64 === undefined) throw refuse(what, 'it is not NAME:BASE64')
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.toString('base64') !== base64) throw refuse(what, 'its base64 is malformed')
  if (bytes.length !== length) throw refuse(what, `it has ${bytes.length} bytes, not ${length}`)
  return { name, bytes }
}

function rawPublicKey(secret: KeyObject): Buffer {
  return createPublicKey(secret).export({ type: 'spki', format: 'der' }).subarray(-32)
}

function refuse(what: string, why: string): RejectedError {
  return new RejectedError('cache-key', `Cannot use "${what} of a binary cache": ${why}`)
}
