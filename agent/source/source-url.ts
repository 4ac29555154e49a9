import { UsageError } from '../codec/errors.ts'

/** An HTTP address, taken apart so that its credentials cannot end up in a log by accident. */
export type HttpLocation = {
  /** Without credentials, query, fragment and trailing slash. */
  url: string
  origin: string
  /** The value of an Authorization header, when the address carried user and password. */
  authorization?: string
}

/** Takes an http(s) address apart; fails with `config` where it is none. Never repeats a secret. */
export function parseHttpUrl(text: string): HttpLocation {
  if (!URL.canParse(text)) {
    throw new UsageError('config', `Cannot use "${withoutSecrets(text)}": it is not a URL`)
  }
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UsageError('config', `Cannot use "${withoutSecrets(text)}": it is not http or https`)
  }
  const authorization = authorizationOf(url)
  const path = url.pathname.replace(/\/+$/, '')
  return { url: url.origin + path, origin: url.origin, ...(authorization && { authorization }) }
}

/** A repository or server address as logs may show it: no credentials, no query. */
export function withoutSecrets(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1')
    .replace(/(^[^?#]*)[?#].*$/s, '$1')
    .replaceAll(/[\u0000-\u001f\u007f]/g, '?')
}

function authorizationOf(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}
