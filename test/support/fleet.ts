/** A fleet in memory: keys made from numbers, roots and releases signed by whom a test says. */
import type { Release, Role, Root, SignedDocument, Target } from '../../agent/codec/documents.ts'
import { encodeRelease } from '../../agent/codec/release.ts'
import { encodeRoot } from '../../agent/codec/root.ts'
import { type PublicKey, publicKeyOf } from '../../agent/codec/ssh-key.ts'
import { encodeSshsig, type HashName, namespaces, signedBytes } from '../../agent/codec/sshsig.ts'
import { type AcceptInput, accept } from '../../agent/trust/accept.ts'
import { pointOf, signEd25519 } from '../../agent/trust/ed25519.ts'
import { digestOf } from '../../agent/trust/root-chain.ts'

export type Signer = { seed: Buffer; publicKey: PublicKey; line: string }

export const NOW = Date.parse('2026-06-01T00:00:00Z')
const DAY_MS = 24 * 3600 * 1000

/** The same number always gives the same key. */
export function signer(number: number): Signer {
  const seed = Buffer.alloc(32, number)
  const publicKey = publicKeyOf(pointOf(seed))
  return { seed, publicKey, line: publicKey.line }
}

export const rootKey = signer(1)
export const releaseKey = signer(2)
export const operatorKey = signer(3)

export type SignOptions = { namespace?: string; hash?: HashName }

/** One armor over the exact bytes. */
export function armorOf(bytes: Buffer, by: Signer, options: SignOptions = {}): string {
  const { namespace = namespaces.release, hash = 'sha512' } = options
  const head = { publicKey: by.publicKey, namespace, reserved: Buffer.alloc(0), hash }
  return encodeSshsig({ ...head, signature: signEd25519(signedBytes(bytes, head), by.seed) })
}

export function signed(bytes: Buffer, ...armors: string[]): SignedDocument {
  return { bytes, signatures: Buffer.from(armors.join('')) }
}

export function role(threshold: number, ...by: Signer[]): Role {
  return { threshold, keys: by.map(({ line }) => line) }
}

/** `days` from the noon of all tests. */
export function at(days: number): string {
  return new Date(NOW + days * DAY_MS).toISOString()
}

export function rootOf(changes: Partial<Root> = {}): Root {
  return {
    fleet: 'demo',
    version: 1,
    epoch: 1,
    expires: at(365),
    roles: {
      root: role(1, rootKey),
      release: role(1, releaseKey),
      operator: role(1, operatorKey),
    },
    ...changes,
  }
}

export function signedRoot(root: Root, ...by: Signer[]): SignedDocument {
  return signRootBytes(encodeRoot(root), ...by)
}

export function signRootBytes(bytes: Buffer, ...by: Signer[]): SignedDocument {
  const options = { namespace: namespaces.root }
  return signed(bytes, ...by.map(one => armorOf(bytes, one, options)))
}

export const target: Target = {
  system: `/nix/store/${'0'.repeat(32)}-system-web-1`,
  closure: 'ab'.repeat(32),
  closureSize: 1000,
}

export function releaseOf(changes: Partial<Release> = {}): Release {
  return {
    fleet: 'demo',
    channel: 'prod',
    epoch: 1,
    version: 7,
    issued: at(-1),
    expires: at(30),
    caches: ['https://cache.example/'],
    hosts: new Map([['web', target]]),
    requires: [],
    ...changes,
  }
}

export function signedRelease(release: Release, ...by: Signer[]): SignedDocument {
  return signReleaseBytes(encodeRelease(release), ...by)
}

export function signReleaseBytes(bytes: Buffer, ...by: Signer[]): SignedDocument {
  return signed(bytes, ...by.map(one => armorOf(bytes, one)))
}

/** Bytes of a release in which some fields are anything at all. */
export function rawRelease(fields: Record<string, unknown>): Buffer {
  const valid = JSON.parse(encodeRelease(releaseOf()).toString())
  return Buffer.from(JSON.stringify({ ...valid, ...fields }))
}

export const firstRoot = signedRoot(rootOf(), rootKey)

/** What the host `web` sees on its first poll, unless the test says otherwise. */
export function inputOf(changes: Partial<AcceptInput> = {}): AcceptInput {
  return {
    pin: pinOf(changes.trusted?.[0] ?? firstRoot),
    trusted: [firstRoot],
    floor: undefined,
    now: NOW,
    fleet: 'demo',
    channel: 'prod',
    host: 'web',
    roots: [],
    release: signedRelease(releaseOf(), releaseKey),
    ...changes,
  }
}

export function pinOf(document: SignedDocument, version = 1): AcceptInput['pin'] {
  return { version, sha256: digestOf(document) }
}

/** The floor of a host that accepted `release` under the first root. */
export function floorAfter(release: SignedDocument, changes: Partial<AcceptInput> = {}) {
  return accept(inputOf({ release, ...changes })).floor
}
