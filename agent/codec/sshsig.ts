/**
 * SSH signatures (OpenSSH's PROTOCOL.sshsig), made by Ed25519 keys.
 *
 *   armor  = "-----BEGIN SSH SIGNATURE-----" LF base64 lines LF "-----END SSH SIGNATURE-----" LF
 *   blob   = "SSHSIG", uint32 1, string public key, string namespace, string reserved,
 *            string hash ("sha256" | "sha512"), string signature
 *   signature = string "ssh-ed25519", string R S (64)
 *   signed bytes = "SSHSIG", string namespace, string reserved, string hash, string H(document)
 *
 * A `.sig` file of ours is any number of armors, one after the other.
 */
import { createHash } from 'node:crypto'
import { RejectedError } from './errors.ts'
import { decodePublicBlob, encodePublicBlob, KEY_TYPE, type PublicKey } from './ssh-key.ts'
import { decodeBase64, SshReader, sshString, sshUint32 } from './ssh-wire.ts'

/** A signature says what it is for: one made for another purpose never counts. */
export const namespaces = {
  root: 'holdfast-root',
  release: 'holdfast-release',
  operator: 'holdfast-operator',
} as const

/** More than any quorum of people needs; bounds the work that a stranger can ask for. */
export const SIGNATURES_MAX = 32
/** One armor of an Ed25519 key has about 300 characters; a namespace may be longer than ours. */
const ARMOR_LENGTH_MAX = 4096

const MAGIC = Buffer.from('SSHSIG')
const VERSION = 1
const BEGIN = '-----BEGIN SSH SIGNATURE-----'
const END = '-----END SSH SIGNATURE-----'
/** What ssh-keygen writes; a reader takes any. */
const LINE_LENGTH = 70

export type HashName = 'sha256' | 'sha512'

export type Sshsig = {
  publicKey: PublicKey
  namespace: string
  /** Empty today; covered by the signature whatever it holds. */
  reserved: Buffer
  hash: HashName
  /** R and S, 64 bytes. */
  signature: Buffer
}

/** What the key really signs for `document`. */
export function signedBytes(
  document: Uint8Array,
  { namespace, reserved, hash }: Pick<Sshsig, 'namespace' | 'reserved' | 'hash'>,
): Buffer {
  const digest = createHash(hash).update(document).digest()
  return Buffer.concat([MAGIC, ...[namespace, reserved, hash, digest].map(sshString)])
}

export function encodeSshsig(value: Sshsig): string {
  const signature = Buffer.concat([sshString(KEY_TYPE), sshString(value.signature)])
  const blob = Buffer.concat([
    MAGIC,
    sshUint32(VERSION),
    sshString(encodePublicBlob(value.publicKey.point)),
    ...[value.namespace, value.reserved, value.hash, signature].map(sshString),
  ])
  const lines = blob.toString('base64').match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? []
  return `${[BEGIN, ...lines, END].join('\n')}\n`
}

/** Reads one armor. Errors: RejectedError `signature`, or `key` for a key that is not supported. */
export function parseSshsig(armor: string): Sshsig {
  const lines = armor.trim().split(/\r?\n/)
  const blob = lines.at(-1) === END ? decodeBase64(lines.slice(1, -1).join('')) : undefined
  if (lines[0] !== BEGIN || blob === undefined) throw refused('its armor is damaged')
  return decodeBlob(blob)
}

function decodeBlob(blob: Buffer): Sshsig {
  const reader = new SshReader(blob, 'signature')
  if (!reader.fixed(MAGIC.length).equals(MAGIC)) throw refused('it is not an SSH signature')
  if (reader.uint32() !== VERSION) throw refused('its version is not 1')
  const publicKey = decodePublicBlob(reader.string())
  const namespace = reader.string().toString('utf8')
  const reserved = Buffer.from(reader.string())
  const hash = reader.text()
  const signature = decodeSignature(reader.string())
  reader.end()
  if (hash !== 'sha256' && hash !== 'sha512') throw refused('its hash is not sha256 or sha512')
  return { publicKey, namespace, reserved, hash, signature }
}

function decodeSignature(bytes: Buffer): Buffer {
  const reader = new SshReader(bytes, 'signature')
  const type = reader.text()
  const signature = Buffer.from(reader.string())
  reader.end()
  if (type !== KEY_TYPE || signature.length !== 64) throw refused('it is not an Ed25519 signature')
  return signature
}

/** The armors of a `.sig` file, at most SIGNATURES_MAX, unread; what is between them is skipped. */
export function splitArmors(signatures: Uint8Array): string[] {
  const limit = SIGNATURES_MAX * ARMOR_LENGTH_MAX
  const text = Buffer.from(signatures.buffer, signatures.byteOffset, signatures.byteLength)
    .subarray(0, limit)
    .toString('latin1')
  const armors: string[] = []
  for (let start = text.indexOf(BEGIN); start >= 0 && armors.length < SIGNATURES_MAX; ) {
    const next = text.indexOf(BEGIN, start + BEGIN.length)
    const end = text.indexOf(END, start)
    const cut = end < 0 || (next >= 0 && next < end) ? next : end + END.length
    armors.push(text.slice(start, cut < 0 ? undefined : cut))
    start = next
  }
  return armors
}

function refused(is: string): RejectedError {
  return new RejectedError('signature', `Cannot read "signature": ${is}`)
}
