/**
 * How a host proves to a controller who it is. All of it is JSON over HTTP, signed by the host key:
 *
 *   POST /v1/enrol    body: { type: "holdfast-enrol-1", fleet, host, publicKey, token, proof }
 *                     proof: Ed25519 over the lines of `enrolMessage`, base64
 *   POST /v1/reports  body: { type: "holdfast-report-1", counter, sentAt, intervalSeconds,
 *                             status, metrics?, history }
 *                     Authorization: Holdfast-Host key=SHA256:<base64>, signature=<base64>
 *                     signature: Ed25519 over "holdfast-report-1\n" and the body's exact bytes
 *
 * Answers: 200 { enrolled: { fleet, host, key } } and 200 { taken: counter }; the rest is a no.
 * The credential names a key, never a host: who reports follows from the key that enrolled.
 */
import { createPublicKey, verify } from 'node:crypto'
import { parseJsonObject } from './json.ts'
import { readInteger, readString, readType } from './json-fields.ts'
import type { Metrics, Phase, ReleaseId, Report } from './report.ts'
import { readHistory, readMetrics, readStatus } from './report-fields.ts'
import { fingerprint, parsePublicKey } from './ssh-key.ts'

/** One step of the host's state machine, kept until a controller has taken it. */
export type PhaseChange = {
  /** Grows by one at least, over restarts too: a change that is sent twice is counted once. */
  id: number
  /** The host's clock, RFC 3339. */
  at: string
  phase: Phase
  release?: ReleaseId
  synced: boolean
  health: 'Healthy' | 'Progressing' | 'Degraded' | 'Unknown'
  message?: string
  /** The reason, when this release was given up here. */
  code?: string
}

/** What travels: the newest status, and what happened since the last report that was taken. */
export type SentReport = Report & {
  /** When the next report is due at the latest. */
  intervalSeconds: number
  history: PhaseChange[]
}

export type EnrolRequest = {
  fleet: string
  host: string
  /** `ssh-ed25519 AAAA…`, without a comment. */
  publicKey: string
  token: string
  /** Base64, over {@link enrolMessage}. */
  proof: string
}

/** Room for 200 changes, 32 rejections and 16 sources at their longest; ten times the usual. */
export const REPORT_BYTES_MAX = 256 * 1024
export const ENROL_BYTES_MAX = 8 * 1024
export const INTERVAL_SECONDS_MAX = 24 * 3600

const ENROL = 'holdfast-enrol-1'
const REPORT = 'holdfast-report-1'
const SCHEME = 'Holdfast-Host'

/** What the proof of an enrolment signs: no field can run into the next. */
export function enrolMessage(request: Omit<EnrolRequest, 'proof'>): Buffer {
  const { fleet, host, publicKey, token } = request
  return Buffer.from(`${ENROL}\n${JSON.stringify([fleet, host, publicKey, token])}`)
}

export function encodeEnrol(request: EnrolRequest): Buffer {
  return Buffer.from(JSON.stringify({ type: ENROL, ...request }))
}

/** Errors: RejectedError `json` or `schema`. The proof is not checked here. */
export function decodeEnrol(bytes: Uint8Array): EnrolRequest {
  const what = 'the enrolment'
  const object = parseJsonObject(bytes, { what, bytesMax: ENROL_BYTES_MAX })
  readType(object, ENROL, what)
  return {
    fleet: readString(object, 'fleet', what),
    host: readString(object, 'host', what),
    publicKey: readString(object, 'publicKey', what),
    token: readString(object, 'token', what),
    proof: readString(object, 'proof', what),
  }
}

export function encodeReport(report: SentReport): Buffer {
  return Buffer.from(JSON.stringify({ type: REPORT, ...report }))
}

/** Errors: RejectedError `json` or `schema`. Keys that are not known are left out. */
export function decodeReport(bytes: Uint8Array): SentReport {
  const what = 'the report'
  const object = parseJsonObject(bytes, { what, bytesMax: REPORT_BYTES_MAX })
  readType(object, REPORT, what)
  const metrics: Metrics | undefined = readMetrics(object)
  return {
    counter: readInteger(object, 'counter', what, { min: 1 }),
    sentAt: readString(object, 'sentAt', what).slice(0, 40),
    intervalSeconds: readInteger(object, 'intervalSeconds', what, {
      min: 1,
      max: INTERVAL_SECONDS_MAX,
    }),
    status: readStatus(object),
    ...(metrics && { metrics }),
    history: readHistory(object),
  }
}

/** What a report's signature is over. */
export function reportMessage(body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${REPORT}\n`), body])
}

/** The value of the Authorization header of a report. */
export function encodeCredential(publicKey: string, signature: Uint8Array): string {
  const encoded = Buffer.from(signature).toString('base64')
  return `${SCHEME} key=${keyFingerprint(publicKey)}, signature=${encoded}`
}

/** The parts of an Authorization header, or undefined when it is not a host's. */
export function decodeCredential(
  header: string | undefined,
): { fingerprint: string; signature: Buffer } | undefined {
  const pattern = /^Holdfast-Host key=(SHA256:[A-Za-z0-9+/]{43}), signature=([A-Za-z0-9+/]{86}==)$/
  const [, fingerprint, signature] = pattern.exec(header ?? '') ?? []
  if (fingerprint === undefined || signature === undefined) return undefined
  return { fingerprint, signature: Buffer.from(signature, 'base64') }
}

/** As `ssh-keygen -l` prints it: `SHA256:` and 43 characters. Errors: RejectedError `key`. */
export function keyFingerprint(publicKey: string): string {
  return fingerprint(parsePublicKey(publicKey))
}

/** Whether `signature` is the key's over `bytes`. Errors: RejectedError `key`. */
export function verifyByHostKey(
  publicKey: string,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  const x = parsePublicKey(publicKey).point.toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return signature.length === 64 && verify(null, bytes, key, signature)
}
