import { fieldError } from './json-fields.ts'

export type UrlOptions = {
  /** Such as `['https:', 'http:']`. Default: with `file:` too. */
  schemes?: readonly string[]
}

const FETCHED = ['https:', 'http:', 'file:'] as const

/**
 * Checks a URL that stands in a field. A URL may carry a password, so no message repeats any of it.
 */
export function readUrl(
  text: string,
  key: string,
  context: string,
  { schemes = FETCHED }: UrlOptions = {},
): URL {
  const wanted = schemes.map(scheme => `${scheme}//`).join(', ')
  if (!URL.canParse(text)) throw fieldError(context, key, `not a URL (${wanted})`)
  const url = new URL(text)
  if (!schemes.includes(url.protocol)) {
    throw fieldError(context, key, `a URL of another kind than ${wanted}`)
  }
  if (url.protocol === 'file:' && (url.host !== '' || url.search !== '' || url.hash !== '')) {
    throw fieldError(context, key, 'a file:// URL with more than an absolute path')
  }
  return url
}
