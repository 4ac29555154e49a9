/**
 * Asks a git server for the head of one branch, over smart HTTP and in as few bytes as can be.
 *
 * Protocol v2 (gitprotocol-v2) says to ask for the capabilities first. They change nothing about
 * this one question, so the command is sent at once: one round trip, no list of other refs. A
 * server that knows only v0 or v1 refuses it and is asked for its ref advertisement (gitprotocol-
 * http) instead.
 *
 *   pkt-line = 4*HEXDIG payload | "0000" flush | "0001" delimiter | "0002" end
 */
import { TransientError } from '../codec/errors.ts'
import { type HttpAnswer, type HttpClient, unexpectedStatus } from './http-client.ts'

/** Servers tell git clients from browsers by this prefix. */
export const GIT_USER_AGENT = 'git/holdfast'
/** A v0 advertisement lists every ref; a hundred thousand of them fit. */
const ADVERTISEMENT_BYTES_MAX = 8 * 1024 * 1024

export type RefQuery = { client: HttpClient; url: string; branch: string; signal: AbortSignal }
/** `protocol` is what the server turned out to speak: pass it in the next time. */
export type Head = { commit: string; protocol: 0 | 2 }

/** The commit id of the branch. Fails with `no-branch` when there is none of that name. */
export async function readHead(query: RefQuery, protocol: 0 | 2 = 2): Promise<Head> {
  const ref = `refs/heads/${query.branch}`
  const direct = protocol === 2 ? await listRefs(query, ref) : undefined
  const commit = direct ?? (await readAdvertisement(query))
  const found = commit.get(ref)
  if (found === undefined) {
    throw new TransientError(
      'no-branch',
      `Cannot read branch "${query.branch}" of "${query.url}": it does not exist`,
    )
  }
  return { commit: found, protocol: direct === undefined ? 0 : 2 }
}

/** Undefined when the server does not take a v2 command without more ado. */
async function listRefs(query: RefQuery, ref: string): Promise<Map<string, string> | undefined> {
  const body = Buffer.from(`${packet('command=ls-refs\n')}0001${packet(`ref-prefix ${ref}\n`)}0000`)
  const answer = await query.client.request({
    url: `${query.url}/git-upload-pack`,
    method: 'POST',
    headers: {
      'User-Agent': GIT_USER_AGENT,
      'Content-Type': 'application/x-git-upload-pack-request',
      'Git-Protocol': 'version=2',
    },
    body,
    bytesMax: ADVERTISEMENT_BYTES_MAX,
    signal: query.signal,
  })
  if (answer.status !== 200) {
    if ([401, 403, 404, 429].includes(answer.status) || answer.status >= 500) {
      throw unexpectedStatus(answer, query.url)
    }
    return undefined
  }
  if (answer.headers.get('content-type') !== 'application/x-git-upload-pack-result') {
    throw notGit(query.url)
  }
  return parseRefs(answer, query.url)
}

/** Lines are `<id> <ref>`; undefined when the answer is an error or of another protocol. */
function parseRefs(answer: HttpAnswer, url: string): Map<string, string> | undefined {
  const refs = new Map<string, string>()
  const lines = packets(answer.body, url)
  for (const line of lines) {
    const match = /^([0-9a-f]{40}) (\S+)(?: .*)?\n?$/.exec(line)
    if (match === null) return undefined
    refs.set(match[2]!, match[1]!)
  }
  return answer.body.subarray(-4).toString('latin1') === '0000' ? refs : undefined
}

async function readAdvertisement(query: RefQuery): Promise<Map<string, string>> {
  const answer = await query.client.request({
    url: `${query.url}/info/refs?service=git-upload-pack`,
    headers: { 'User-Agent': GIT_USER_AGENT },
    bytesMax: ADVERTISEMENT_BYTES_MAX,
    signal: query.signal,
  })
  if (answer.status !== 200) throw unexpectedStatus(answer, query.url)
  const type = answer.headers.get('content-type')
  if (type !== 'application/x-git-upload-pack-advertisement') throw notGit(query.url)
  const refs = new Map<string, string>()
  for (const line of packets(answer.body, query.url)) {
    const match = /^([0-9a-f]{40}) ([^\0\n]+)(?:\0.*)?\n?$/s.exec(line)
    if (match !== null) refs.set(match[2]!, match[1]!)
  }
  return refs
}

function packet(payload: string): string {
  return (payload.length + 4).toString(16).padStart(4, '0') + payload
}

function packets(body: Buffer, url: string): string[] {
  const lines: string[] = []
  for (let offset = 0; offset < body.length; ) {
    const digits = body.toString('latin1', offset, offset + 4)
    const length = /^[0-9a-f]{4}$/.test(digits) ? Number.parseInt(digits, 16) : -1
    if (length === 3 || length < 0 || offset + length > body.length) {
      throw new TransientError('git', `Cannot read "${url}": its list of branches is malformed`)
    }
    if (length > 4) lines.push(body.toString('utf8', offset + 4, offset + length))
    offset += Math.max(length, 4)
  }
  return lines
}

function notGit(url: string): TransientError {
  return new TransientError('git', `Cannot read "${url}": what answers there is not a git server`)
}
