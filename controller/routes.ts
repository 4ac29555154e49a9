import type { IncomingMessage, ServerResponse } from 'node:http'
import { RejectedError } from '../agent/codec/errors.ts'
import { parseJsonObject } from '../agent/codec/json.ts'
import { optional, readInteger, readString, refuseUnknown } from '../agent/codec/json-fields.ts'
import {
  decodeCredential,
  decodeEnrol,
  decodeReport,
  ENROL_BYTES_MAX,
  REPORT_BYTES_MAX,
  reportMessage,
  verifyByHostKey,
} from '../agent/codec/report-envelope.ts'
import { type Access, type Right, sessionCookie } from './access.ts'
import type { EventStreams } from './event-stream.ts'
import { type Fleet, unknownKey } from './fleet.ts'
import { readBody, send, sendJson } from './http-exchange.ts'
import {
  isHostName,
  TOKEN_SECONDS_DEFAULT,
  TOKEN_SECONDS_MAX,
  TOKEN_USES_MAX,
} from './join-token.ts'
import { makeSession } from './operator-token.ts'
import { loginPage, overviewPage } from './page.ts'
import { pageScript, pageStyle } from './page-assets.ts'

/** What a handler has at hand. */
export type Context = {
  fleet: Fleet
  access: Access
  streams: EventStreams
  operatorToken: string
}

export type Exchange = Context & {
  request: IncomingMessage
  response: ServerResponse
  /** The last part of the path, decoded, where the route has a `*`. */
  name: string
  query: URLSearchParams
}

export type Route = {
  method: 'GET' | 'POST' | 'DELETE'
  /** Ends with `*` for one more part. */
  path: string
  /** Absent: anybody, or the handler asks by itself. */
  right?: Right
  handle: (exchange: Exchange) => Promise<void>
}

const SMALL_BYTES_MAX = 8 * 1024

export const routes: Route[] = [
  { method: 'GET', path: '/healthz', handle: healthz },
  { method: 'POST', path: '/v1/enrol', handle: enrol },
  { method: 'POST', path: '/v1/reports', handle: takeReport },
  { method: 'GET', path: '/v1/hosts', right: 'read', handle: listHosts },
  { method: 'GET', path: '/v1/hosts/*', right: 'read', handle: showHost },
  { method: 'DELETE', path: '/v1/hosts/*', right: 'operate', handle: removeHost },
  { method: 'GET', path: '/v1/rollouts', right: 'read', handle: listRollouts },
  { method: 'GET', path: '/v1/rollouts/latest', right: 'read', handle: latestRollout },
  { method: 'GET', path: '/v1/events', right: 'read', handle: streamEvents },
  { method: 'POST', path: '/v1/tokens', right: 'operate', handle: makeToken },
  { method: 'GET', path: '/', handle: showPage },
  { method: 'POST', path: '/login', handle: login },
  { method: 'GET', path: '/app.js', handle: asset('text/javascript', pageScript) },
  { method: 'GET', path: '/app.css', handle: asset('text/css', pageStyle) },
]

async function healthz({ fleet, response }: Exchange): Promise<void> {
  await fleet.lastEventId() // The storage answers, or this throws.
  sendJson(response, 200, { ok: true })
}

async function enrol({ fleet, request, response }: Exchange): Promise<void> {
  const wanted = decodeEnrol(await readBody(request, ENROL_BYTES_MAX))
  const key = await fleet.enrol(wanted)
  sendJson(response, 200, { enrolled: { fleet: wanted.fleet, host: wanted.host, key } })
}

async function takeReport({ fleet, request, response }: Exchange): Promise<void> {
  const credential = decodeCredential(request.headers.authorization)
  if (!credential) throw unknownKey()
  const host = await fleet.hostByKey(credential.fingerprint)
  if (!host) throw unknownKey()
  const body = await readBody(request, REPORT_BYTES_MAX)
  // The signature first: what is not the host's own is not even parsed.
  if (!verifyByHostKey(host.publicKey, reportMessage(body), credential.signature)) {
    throw new RejectedError('unauthorized', 'Cannot take "report": its signature is wrong')
  }
  const report = decodeReport(body)
  await fleet.takeReport(credential.fingerprint, report)
  sendJson(response, 200, { taken: report.counter })
}

async function listHosts({ fleet, response }: Exchange): Promise<void> {
  sendJson(response, 200, { hosts: await fleet.hosts() })
}

async function showHost({ fleet, response, name }: Exchange): Promise<void> {
  sendJson(response, 200, await fleet.host(name))
}

async function removeHost({ fleet, response, name }: Exchange): Promise<void> {
  await fleet.removeHost(name)
  sendJson(response, 200, { removed: name })
}

async function listRollouts({ fleet, response }: Exchange): Promise<void> {
  sendJson(response, 200, { rollouts: await fleet.rollouts() })
}

async function latestRollout({ fleet, response, query }: Exchange): Promise<void> {
  sendJson(response, 200, await fleet.latestRollout(query.get('channel') ?? undefined))
}

async function streamEvents({ streams, request, response }: Exchange): Promise<void> {
  await streams.add(request, response)
}

async function makeToken({ fleet, request, response }: Exchange): Promise<void> {
  const what = 'the token request'
  const body = parseJsonObject(await readBody(request, SMALL_BYTES_MAX), { what })
  refuseUnknown(body, ['host', 'expiresSeconds', 'uses'], what)
  const host = optional(readString)(body, 'host', what)
  if (host !== undefined && !isHostName(host)) {
    throw new RejectedError('schema', `Cannot read "host" in ${what}: it is not a host name`)
  }
  const within = (key: string, max: number, fallback: number) =>
    body[key] === undefined ? fallback : readInteger(body, key, what, { min: 1, max })
  const expiresSeconds = within('expiresSeconds', TOKEN_SECONDS_MAX, TOKEN_SECONDS_DEFAULT)
  const uses = within('uses', TOKEN_USES_MAX, 1)
  const made = await fleet.makeToken({ expiresSeconds, uses, ...(host !== undefined && { host }) })
  const expiresAt = new Date(made.expiresAt).toISOString()
  sendJson(response, 200, { token: made.token, expiresAt, uses, ...(host && { host }) })
}

async function showPage(exchange: Exchange): Promise<void> {
  const { access, request, response, fleet } = exchange
  try {
    access.check(request, 'read')
  } catch (error) {
    if (!(error instanceof RejectedError) || error.code !== 'unauthorized') throw error
    send(response, { status: 401, type: 'text/html', body: loginPage(false) })
    return
  }
  send(response, { status: 200, type: 'text/html', body: overviewPage(await fleet.overview()) })
}

async function login({ access, request, response, operatorToken }: Exchange): Promise<void> {
  const form = new URLSearchParams((await readBody(request, SMALL_BYTES_MAX)).toString('utf8'))
  const token = (form.get('token') ?? '').trim()
  try {
    access.attempt(request, () => access.isOperatorToken(token))
  } catch (error) {
    if (!(error instanceof RejectedError) || error.code !== 'unauthorized') throw error
    send(response, { status: 401, type: 'text/html', body: loginPage(true) })
    return
  }
  response.setHeader('set-cookie', sessionCookie(makeSession(operatorToken, Date.now())))
  response.writeHead(303, { location: '/' }).end()
}

function asset(type: string, body: string): Route['handle'] {
  return async ({ response }) => {
    response.setHeader('cache-control', 'no-cache')
    send(response, { status: 200, type, body })
  }
}
