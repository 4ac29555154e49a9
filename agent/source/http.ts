import type { SignedDocument } from '../codec/documents.ts'
import { TransientError } from '../codec/errors.ts'
import { type HttpAnswer, HttpClient, unexpectedStatus } from './http-client.ts'
import {
  assertChannel,
  DOCUMENT_BYTES_MAX,
  ROOTS_MAX,
  releasePath,
  rootPath,
  SIGNATURES_BYTES_MAX,
  signaturesPath,
} from './release-tree.ts'
import type { PollRequest, PollResult, Source } from './source.ts'
import { parseHttpUrl } from './source-url.ts'

/** What a server said of one document's version; `none` means that every poll reads it again. */
type Validator = { etag: string } | { modified: string } | { none: true }
type Tag = { release: Validator; signatures: Validator }

/** A pair that keeps changing under the reader is given up until the next poll. */
const READS_MAX = 3
/** Polls that look at one document only, before one looks at signatures and the next root too. */
const LEAN_POLLS = 9

/**
 * A release tree on any HTTP server, usually the binary cache itself.
 *
 * A poll with nothing new is one conditional request for release.json. Its signatures and the next
 * root are separate files and may change alone (one more signature; a root renewed without a
 * release), so the first polls after news, and then every tenth, ask for these too.
 */
export class HttpSource implements Source {
  readonly name: string
  readonly #base: string
  readonly #client: HttpClient
  #leanPolls = LEAN_POLLS
  #fullPolls = 0

  constructor(address: string) {
    const location = parseHttpUrl(address)
    this.#base = location.url
    this.name = `http ${location.url}`
    this.#client = new HttpClient({ credentials: location })
  }

  async poll(request: PollRequest): Promise<PollResult> {
    assertChannel(request.channel)
    const seen = decodeTag(request.seen)
    if (seen !== undefined && (await this.#unchanged(request, seen))) {
      return { kind: 'unchanged', tag: encodeTag(seen) }
    }
    const found = await this.#readRelease(request)
    const roots = await this.#readRoots(request)
    // A writer of another make may put the signatures there a moment after the document.
    this.#fullPolls = 3
    return { kind: 'found', tag: encodeTag(found.tag), roots, release: found.release }
  }

  async #unchanged(request: PollRequest, seen: Tag): Promise<boolean> {
    const document = releasePath(request.channel)
    if (!(await this.#same(request, document, seen.release))) return false
    if (this.#fullPolls > 0) this.#fullPolls -= 1
    else if (this.#leanPolls < LEAN_POLLS) {
      this.#leanPolls += 1
      return true
    }
    this.#leanPolls = 0
    if (!(await this.#same(request, signaturesPath(document), seen.signatures))) return false
    const next = await this.#get(request, rootPath(request.rootVersion + 1), DOCUMENT_BYTES_MAX)
    return next.status === 404 || next.status === 403 || next.status === 410
  }

  async #same(request: PollRequest, path: string, seen: Validator): Promise<boolean> {
    if ('none' in seen) return false
    const answer = await this.#get(request, path, DOCUMENT_BYTES_MAX, seen)
    if (answer.status === 304) return true
    this.#expectFound(answer, path, request.channel)
    // Servers exist that send the whole document again to a conditional request.
    const now = validatorOf(answer)
    return !('none' in now) && JSON.stringify(now) === JSON.stringify(seen)
  }

  /** Two files, no transaction: the document is asked for again after its signatures. */
  async #readRelease(request: PollRequest): Promise<{ release: SignedDocument; tag: Tag }> {
    const path = releasePath(request.channel)
    for (let read = 0; read < READS_MAX; read += 1) {
      const document = await this.#get(request, path, DOCUMENT_BYTES_MAX)
      this.#expectFound(document, path, request.channel)
      const signed = await this.#get(request, signaturesPath(path), SIGNATURES_BYTES_MAX)
      this.#expectFound(signed, signaturesPath(path), request.channel)
      const tag = { release: validatorOf(document), signatures: validatorOf(signed) }
      if ('none' in tag.release || (await this.#same(request, path, tag.release))) {
        return { release: { bytes: document.body, signatures: signed.body }, tag }
      }
    }
    throw new TransientError('torn', `Cannot read "${this.#base}/${path}": it keeps changing`)
  }

  async #readRoots(request: PollRequest): Promise<SignedDocument[]> {
    const roots: SignedDocument[] = []
    while (roots.length < ROOTS_MAX) {
      const path = rootPath(request.rootVersion + 1 + roots.length)
      const document = await this.#get(request, path, DOCUMENT_BYTES_MAX)
      // Object stores answer 403 for what is not there when listing is not allowed.
      if (document.status === 404 || document.status === 403 || document.status === 410) break
      if (document.status !== 200) throw unexpectedStatus(document, document.url)
      const signed = await this.#get(request, signaturesPath(path), SIGNATURES_BYTES_MAX)
      if (signed.status !== 200) throw unexpectedStatus(signed, signed.url)
      roots.push({ bytes: document.body, signatures: signed.body })
    }
    return roots
  }

  #get(
    { signal }: PollRequest,
    path: string,
    bytesMax: number,
    seen?: Validator,
  ): Promise<HttpAnswer> {
    const headers: Record<string, string> = {}
    if (seen !== undefined && 'etag' in seen) headers['If-None-Match'] = seen.etag
    if (seen !== undefined && 'modified' in seen) headers['If-Modified-Since'] = seen.modified
    return this.#client.request({ url: `${this.#base}/${path}`, headers, bytesMax, signal })
  }

  #expectFound(answer: HttpAnswer, path: string, channel: string): void {
    const what = `${this.#base}/${path}`
    if (answer.status === 404 || answer.status === 410) {
      throw new TransientError(
        'no-release',
        `Cannot read channel "${channel}": the server has no "${what}"`,
      )
    }
    if (answer.status !== 200) throw unexpectedStatus(answer, what)
  }
}

function validatorOf({ headers }: HttpAnswer): Validator {
  const etag = headers.get('etag')
  if (etag !== undefined) return { etag }
  const modified = headers.get('last-modified')
  return modified === undefined ? { none: true } : { modified }
}

function encodeTag(tag: Tag): string {
  return JSON.stringify([tag.release, tag.signatures])
}

/** A tag that another kind of source wrote, or none, reads everything. */
function decodeTag(text: string | undefined): Tag | undefined {
  if (text === undefined) return undefined
  try {
    const [release, signatures] = JSON.parse(text) as [Validator, Validator]
    const ok = [release, signatures].every(
      one => 'none' in one || typeof ('etag' in one ? one.etag : one.modified) === 'string',
    )
    return ok ? { release, signatures } : undefined
  } catch {
    return undefined
  }
}
