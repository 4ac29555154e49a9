import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Seed } from '../codec/documents.ts'
import { isErrno } from '../codec/errors.ts'
import { encodeEnrol, enrolMessage } from '../codec/report-envelope.ts'
import { writeDurably } from '../files/durable.ts'
import type { HostKey } from './host-key.ts'
import { type LightResponse, lightRequest } from './light-http.ts'

const ANSWER_BYTES_MAX = 64 * 1024
const REQUEST_MS_MAX = 10_000

export type EnrolOptions = { seed: Seed; key: HostKey; signal: AbortSignal }

/**
 * Asks the controller to know this host by its key. Safe to repeat: a controller that already
 * knows the pair says yes again. Errors: TransientError when no answer came.
 */
export async function enrol({ seed, key, signal }: EnrolOptions): Promise<LightResponse> {
  const { url = '', token = '' } = seed.controller ?? {}
  const unsigned = { fleet: seed.fleet, host: seed.host, publicKey: key.publicKey, token }
  const proof = key.sign(enrolMessage(unsigned)).toString('base64')
  return await lightRequest({
    method: 'POST',
    url: controllerAddress(url, '/v1/enrol'),
    headers: { 'content-type': 'application/json' },
    body: encodeEnrol({ ...unsigned, proof }),
    msMax: REQUEST_MS_MAX,
    bytesMax: ANSWER_BYTES_MAX,
    signal,
  })
}

/** The address of an endpoint, whether or not the controller's URL ends with a slash. */
export function controllerAddress(base: string, path: string): string {
  return base.replace(/\/+$/, '') + path
}

/** Takes the used join token out of the seed on disk: what is not there cannot leak. */
export function forgetToken(stateDirectory: string): void {
  const path = join(stateDirectory, 'seed.json')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    throw error
  }
  const seed = JSON.parse(text) as { controller?: { token?: string } }
  if (seed.controller?.token === undefined) return
  delete seed.controller.token
  writeDurably(path, `${JSON.stringify(seed, null, 2)}\n`, 0o600)
}
