import { RejectedError } from '../codec/errors.ts'
import { type Compression, compressions } from './decode.ts'

/** Where a cache keeps the NAR of a path. */
export type Location = { url: string; compression: Compression }

/**
 * Takes from a narinfo the only two things that matter here, as all else is in the signed manifest.
 * The URL must be relative and stay below the cache's own. Fails with `narinfo`.
 */
export function readLocation(narinfo: Buffer, what: string): Location {
  const fields = new Map<string, string>()
  for (const line of narinfo.toString('utf8').split('\n')) {
    const [, name, value] = /^(URL|Compression): (.*)$/s.exec(line) ?? []
    if (name === undefined || value === undefined) continue
    if (fields.has(name)) throw refuse(what, `it has two ${name} lines`)
    fields.set(name, value)
  }
  const url = fields.get('URL') ?? ''
  if (!isRelative(url)) throw refuse(what, `its URL is "${url.slice(0, 200)}"`)
  const name = fields.get('Compression') ?? 'bzip2'
  const compression = compressions.find(known => known === name)
  if (compression === undefined) {
    throw refuse(what, `its compression is "${name.slice(0, 40)}", not ${compressions.join(', ')}`)
  }
  return { url, compression }
}

/** Plain segments only: no scheme, no root, no way up, nothing escaped, no query. */
function isRelative(url: string): boolean {
  const segments = url.split('/')
  return segments.every(part => /^[A-Za-z0-9+=_~,@.-]+$/.test(part) && !/^\.\.?$/.test(part))
}

function refuse(what: string, why: string): RejectedError {
  return new RejectedError('narinfo', `Cannot use "${what}": ${why}`)
}
