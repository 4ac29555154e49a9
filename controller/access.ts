import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { RejectedError } from '../agent/codec/errors.ts'
import { isSession, sameSecret } from './operator-token.ts'

/** `read` sees, `operate` changes; hosts have their own credential and neither of these. */
export type Right = 'read' | 'operate'

export type AccessOptions = {
  operatorToken: string
  /** Anybody who reaches the address may read: a demonstration, or behind a proxy that asks. */
  openRead: boolean
  now?: () => number
}

const COOKIE = 'holdfast_session'
const FAILURES_MAX = 20
const WINDOW_MS = 60_000
/** Addresses remembered; beyond it the oldest is forgotten, so memory stays bounded. */
const ADDRESSES_MAX = 10_000

/** Who may do what. */
export class Access {
  readonly #options: AccessOptions
  readonly #failures = new Map<string, { count: number; until: number }>()

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** Errors: RejectedError `unauthorized`, `forbidden`, `too-many-requests`. */
  check(request: IncomingMessage, right: Right): void {
    const { operatorToken, openRead } = this.#options
    const bearer = /^Bearer (\S{1,200})$/.exec(request.headers.authorization ?? '')?.[1]
    if (bearer !== undefined) {
      this.attempt(request, () => sameSecret(bearer, operatorToken))
      return
    }
    if (right === 'operate') throw unauthorized()
    if (openRead && isOwnName(request.headers.host)) return
    if (this.#hasSession(request)) return
    throw unauthorized()
  }

  /** Runs a check of a secret; too many wrong ones from one address are not looked at any more. */
  attempt(request: IncomingMessage, isRight: () => boolean): void {
    const address = request.socket.remoteAddress ?? ''
    const now = this.#now()
    const before = this.#failures.get(address)
    const recent = before !== undefined && before.until > now ? before : undefined
    if (recent && recent.count >= FAILURES_MAX) {
      const is = 'too many wrong credentials came from this address'
      throw new RejectedError('too-many-requests', `Cannot check "credential": ${is}`)
    }
    if (isRight()) return
    this.#failures.delete(address)
    this.#failures.set(address, {
      count: (recent?.count ?? 0) + 1,
      until: recent?.until ?? now + WINDOW_MS,
    })
    if (this.#failures.size > ADDRESSES_MAX) {
      this.#failures.delete(this.#failures.keys().next().value!)
    }
    throw unauthorized()
  }

  isOperatorToken(text: string): boolean {
    return sameSecret(text, this.#options.operatorToken)
  }

  #hasSession(request: IncomingMessage): boolean {
    const pairs = (request.headers.cookie ?? '').split(/; */)
    const value = pairs.find(pair => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
    return value !== undefined && isSession(this.#options.operatorToken, value, this.#now())
  }

  #now(): number {
    return (this.#options.now ?? Date.now)()
  }
}

/** Strict: no other site's page can make a browser send it. */
export function sessionCookie(value: string): string {
  return `${COOKIE}=${value}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict`
}

/**
 * Where reading is open, a page of another site could still point its own name at our address; the
 * name that it then sends as Host gives it away.
 */
function isOwnName(host: string | undefined): boolean {
  const name = URL.parse(`http://${host}`)?.hostname ?? ''
  return name === 'localhost' || isIP(name.replace(/^\[|\]$/g, '')) !== 0
}

function unauthorized(): RejectedError {
  return new RejectedError('unauthorized', 'Cannot answer "request": it carries no valid token')
}
