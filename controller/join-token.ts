import { createHash, randomBytes } from 'node:crypto'
import { RejectedError } from '../agent/codec/errors.ts'
import {
  type EnrolRequest,
  enrolMessage,
  keyFingerprint,
  verifyByHostKey,
} from '../agent/codec/report-envelope.ts'
import type { TokenRecord, Transaction } from './storage.ts'

/** What an operator asks for. Short-lived and for one host unless they say otherwise. */
export type TokenRequest = { host?: string; expiresSeconds: number; uses: number }

export const TOKEN_SECONDS_DEFAULT = 3600
export const TOKEN_SECONDS_MAX = 30 * 24 * 3600
export const TOKEN_USES_MAX = 100_000
/** A host name as DNS has it: what people type, and safe wherever it is shown. */
const HOST_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/i

export function isHostName(text: string): boolean {
  return HOST_NAME.test(text)
}

/** Makes a token of 192 random bits; only its hash is kept. */
export async function makeToken(
  tx: Transaction,
  request: TokenRequest,
  now: number,
): Promise<{ token: string; expiresAt: number }> {
  const token = `hfj_${randomBytes(24).toString('base64url')}`
  const expiresAt = now + request.expiresSeconds * 1000
  const { host, uses } = request
  await tx.deleteTokensBefore(now)
  await tx.putToken({ hash: hashOf(token), usesLeft: uses, expiresAt, ...(host && { host }) })
  return { token, expiresAt }
}

/**
 * Enrols a host: a valid token, and a proof that it holds the key. A pair of name and key that is
 * known gets the same yes again, so that a lost answer costs nothing. Returns the fingerprint.
 */
export async function enrolHost(
  tx: Transaction,
  request: EnrolRequest,
  { fleet, now }: { fleet: string | undefined; now: number },
): Promise<string> {
  checkRequest(request, fleet)
  const fingerprint = keyFingerprint(request.publicKey)
  const known = await tx.host(request.host)
  if (known?.fingerprint === fingerprint) return fingerprint
  const token = await takeToken(tx, request, now)
  if (known || (await tx.hostByKey(fingerprint))) {
    const is = 'it is enrolled already, with another key or name'
    throw new RejectedError('already-enrolled', `Cannot enrol "${request.host}": ${is}`)
  }
  await spend(tx, token)
  await tx.putHost({
    name: request.host,
    fleet: request.fleet,
    publicKey: request.publicKey,
    fingerprint,
    enrolledAt: now,
    counter: 0,
    changeId: 0,
    offline: false,
  })
  await tx.addEvent({ kind: 'host.enrolled', at: now, host: request.host, message: fingerprint })
  return fingerprint
}

function checkRequest(request: EnrolRequest, fleet: string | undefined): void {
  if (!isHostName(request.host)) {
    throw new RejectedError('schema', 'Cannot enrol "host": its name is not a host name')
  }
  if (fleet !== undefined && request.fleet !== fleet) {
    const is = `this controller serves fleet "${fleet}"`
    throw new RejectedError('forbidden', `Cannot enrol "${request.host}": ${is}`)
  }
  const proof = Buffer.from(request.proof, 'base64')
  if (!verifyByHostKey(request.publicKey, enrolMessage(request), proof)) {
    const is = 'the proof is not by the key it names'
    throw new RejectedError('unauthorized', `Cannot enrol "${request.host}": ${is}`)
  }
}

/** One answer for unknown, expired, used and foreign tokens: a guesser learns nothing. */
async function takeToken(
  tx: Transaction,
  request: EnrolRequest,
  now: number,
): Promise<TokenRecord> {
  const token = await tx.token(hashOf(request.token))
  const bound = token?.host === undefined || token.host === request.host
  if (token && bound && token.expiresAt > now && token.usesLeft > 0) return token
  const is = 'its join token is unknown, used, expired or for another host'
  throw new RejectedError('join-token', `Cannot enrol "${request.host}": ${is}`)
}

async function spend(tx: Transaction, token: TokenRecord): Promise<void> {
  if (token.usesLeft <= 1) await tx.deleteToken(token.hash)
  else await tx.putToken({ ...token, usesLeft: token.usesLeft - 1 })
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
