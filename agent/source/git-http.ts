import type { GitHttpRequest, GitHttpResponse, HttpClient as HttpPlugin } from 'isomorphic-git'
import { GIT_USER_AGENT } from './git-refs.ts'
import { type HttpClient, unexpectedStatus } from './http-client.ts'

export type GitHttpOptions = {
  client: HttpClient
  /** All bytes of all answers together; more is `oversized`. */
  bytesMax: number
  deadlineMs: number
  signal?: AbortSignal
}

/** What isomorphic-git calls its `http` plugin, over our client with its limits and redirects. */
export type GitHttp = HttpPlugin & {
  /** Throws what failed inside `request`, before isomorphic-git wrapped or replaced it. */
  rethrow: () => void
}

export function gitHttp(options: GitHttpOptions): GitHttp {
  let bytesLeft = options.bytesMax
  let failure: unknown
  const end = performance.now() + options.deadlineMs
  const request = async ({
    url,
    method = 'GET',
    headers,
    body,
  }: GitHttpRequest): Promise<GitHttpResponse> => {
    const bytes = body === undefined ? undefined : await gather(body)
    const answer = await options.client.request({
      url,
      method: method === 'POST' ? 'POST' : 'GET',
      headers: { ...plain(headers), 'User-Agent': GIT_USER_AGENT },
      ...(bytes && { body: bytes }),
      bytesMax: Math.max(0, bytesLeft),
      deadlineMs: Math.max(0, end - performance.now()),
      // A push must not be sent twice; a fetch may.
      repeatable: !url.endsWith('/git-receive-pack'),
      signal: options.signal ?? new AbortController().signal,
    })
    bytesLeft -= answer.body.length
    if (answer.status === 401 || answer.status === 403) {
      throw unexpectedStatus(answer, url)
    }
    return {
      url: answer.url,
      method,
      statusCode: answer.status,
      statusMessage: String(answer.status),
      headers: Object.fromEntries(answer.headers),
      body: once(answer.body),
    }
  }
  return {
    request: async wanted => {
      try {
        return await request(wanted)
      } catch (error) {
        failure = error
        throw error
      }
    },
    rethrow: () => {
      if (failure !== undefined) throw failure
    },
  }
}

async function gather(body: NonNullable<GitHttpRequest['body']>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The client names the agent and the length itself. */
function plain(headers: Record<string, string> = {}): Record<string, string> {
  const taken = new Set(['user-agent', 'content-length', 'host', 'connection'])
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !taken.has(name.toLowerCase())),
  )
}

async function* once(body: Buffer): AsyncGenerator<Uint8Array> {
  yield body
}
