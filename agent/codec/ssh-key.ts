/**
 * Ed25519 keys as OpenSSH writes them (its PROTOCOL.key; RFC 8709), without passphrases.
 *
 *   public line  = "ssh-ed25519" SP base64( blob ) [ SP comment ]
 *   blob         = string "ssh-ed25519", string point (32)
 *   private file = armor of: "openssh-key-v1" NUL, string cipher "none", string kdf "none",
 *                  string "", uint32 1, string blob, string section
 *   section      = uint32 check, uint32 check, string "ssh-ed25519", string point (32),
 *                  string seed (32) point (32), string comment, padding 1 2 3 … to a multiple of 8
 */
import { createHash } from 'node:crypto'
import { isWeakPoint } from './ed25519-point.ts'
import { RejectedError } from './errors.ts'
import { decodeBase64, SshReader, sshString, sshUint32 } from './ssh-wire.ts'

export const KEY_TYPE = 'ssh-ed25519'
const MAGIC = Buffer.from('openssh-key-v1\0')
const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----'
const END = '-----END OPENSSH PRIVATE KEY-----'
/** What ssh-keygen writes; a reader takes any. */
const LINE_LENGTH = 70
/** The cipher's block size when there is no cipher. */
const BLOCK = 8

export type PublicKey = {
  /** The compressed Edwards point, 32 bytes: what makes two keys the same key. */
  point: Buffer
  /** `ssh-ed25519 AAAA…`, without comment. */
  line: string
  comment: string
}

export type PrivateKey = { publicKey: PublicKey; seed: Buffer; comment: string }

/** Errors: RejectedError `key` when it is no Ed25519 line, or its point is weak. */
export function parsePublicKey(text: string): PublicKey {
  const [type = '', base64 = '', ...comment] = text.trim().split(/[ \t]+/)
  if (type.startsWith('-----BEGIN')) throw refused('it is a private key, not a public one')
  if (type !== KEY_TYPE) throw otherType(type)
  const blob = decodeBase64(base64)
  if (blob === undefined) throw refused('it is not Base64')
  return { ...decodePublicBlob(blob), comment: comment.join(' ') }
}

export function encodePublicBlob(point: Uint8Array): Buffer {
  return Buffer.concat([sshString(KEY_TYPE), sshString(point)])
}

export function decodePublicBlob(blob: Buffer): PublicKey {
  const reader = new SshReader(blob, 'public key')
  const type = reader.text()
  if (type !== KEY_TYPE) throw otherType(type)
  const point = Buffer.from(reader.string())
  reader.end()
  return publicKeyOf(point)
}

/** Errors: RejectedError `key` for a point that is no safe public key. */
export function publicKeyOf(point: Buffer): PublicKey {
  if (point.length !== 32) throw refused(`it has ${point.length} bytes instead of 32`)
  if (isWeakPoint(point)) throw refused('anybody could make signatures for it')
  const line = `${KEY_TYPE} ${encodePublicBlob(point).toString('base64')}`
  return { point, line, comment: '' }
}

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export function fingerprint(key: PublicKey): string {
  const digest = createHash('sha256').update(encodePublicBlob(key.point)).digest('base64')
  return `SHA256:${digest.replace(/=+$/, '')}`
}

export function encodePrivateKey(key: PrivateKey): string {
  // The two equal numbers only tell a wrong passphrase: without one they may be anything.
  const check = createHash('sha256').update(key.seed).digest().subarray(0, 4)
  const section = Buffer.concat([
    check,
    check,
    encodePublicBlob(key.publicKey.point),
    sshString(Buffer.concat([key.seed, key.publicKey.point])),
    sshString(key.comment),
  ])
  const bytes = Buffer.concat([
    MAGIC,
    ...['none', 'none', ''].map(sshString),
    sshUint32(1),
    sshString(encodePublicBlob(key.publicKey.point)),
    sshString(Buffer.concat([section, padding(section.length)])),
  ])
  return `${[BEGIN, ...wrap(bytes), END].join('\n')}\n`
}

/**
 * Reads a private key file. Errors: RejectedError `key-encrypted` when it has a passphrase, `key`
 * when it is no OpenSSH Ed25519 key. No message holds a byte of it. Whether seed and point belong
 * together is for the caller to check, who can compute.
 */
export function parsePrivateKey(text: string): PrivateKey {
  const reader = new SshReader(unwrap(text), 'private key')
  if (!reader.fixed(MAGIC.length).equals(MAGIC)) throw reader.error('it is not an OpenSSH key')
  const cipher = reader.text()
  const kdf = reader.text()
  if (cipher !== 'none' || kdf !== 'none') throw encrypted()
  reader.string()
  if (reader.uint32() !== 1) throw reader.error('it does not hold exactly one key')
  const publicKey = decodePublicBlob(reader.string())
  const section = reader.string()
  reader.end()
  return decodeSection(section, publicKey)
}

function decodeSection(section: Buffer, publicKey: PublicKey): PrivateKey {
  const reader = new SshReader(section, 'private key')
  const check = reader.uint32()
  if (reader.uint32() !== check) throw reader.error('its check numbers differ')
  const type = reader.text()
  if (type !== KEY_TYPE) throw reader.error(`its type is not ${KEY_TYPE}`)
  const point = reader.string()
  const secret = reader.string()
  const comment = reader.string().toString('utf8')
  const rest = reader.rest()
  if (rest.length >= BLOCK || !rest.equals(padding(section.length - rest.length))) {
    throw reader.error('its padding is wrong')
  }
  const same = point.equals(publicKey.point) && secret.subarray(32).equals(point)
  if (!same) throw reader.error('its public and private halves differ')
  return { publicKey, seed: Buffer.from(secret.subarray(0, 32)), comment }
}

function unwrap(text: string): Buffer {
  const lines = text.trim().split(/\r?\n/)
  const bytes = lines.at(-1) === END ? decodeBase64(lines.slice(1, -1).join('')) : undefined
  if (lines[0] !== BEGIN || bytes === undefined) {
    const is = /PRIVATE KEY-----$/.test(lines[0] ?? '') ? 'its armor is damaged' : 'it has no armor'
    throw new RejectedError('key', `Cannot read "private key": ${is}`)
  }
  return bytes
}

function wrap(bytes: Buffer): string[] {
  return bytes.toString('base64').match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? []
}

function padding(length: number): Buffer {
  return Buffer.from(Array.from({ length: (BLOCK - (length % BLOCK)) % BLOCK }, (_, i) => i + 1))
}

function refused(is: string): RejectedError {
  return new RejectedError('key', `Cannot use "public key": ${is}`)
}

/** A type is repeated only when it is one: a wrong file may hold a secret. */
function otherType(type: string): RejectedError {
  if (!/^(sk-)?(ssh|ecdsa)-[a-z0-9@.-]{1,60}$/.test(type)) return refused('it is no SSH public key')
  return refused(`its type is ${type}, and only ${KEY_TYPE} is supported`)
}

function encrypted(): RejectedError {
  const next = 'Sign with ssh-keygen -Y sign -n NAMESPACE -f KEY FILE, then add the .sig file'
  const is = 'it has a passphrase, and only ssh-keygen -Y sign can ask for that'
  return new RejectedError('key-encrypted', `Cannot read "private key": ${is}`, { next })
}
