import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { RejectedError, TransientError, UsageError } from '../codec/errors.ts'
import type { Documents } from './git-documents.ts'
import type { GitRun } from './git-program.ts'
import { readHead } from './git-refs.ts'
import { HttpClient } from './http-client.ts'
import { assertChannel } from './release-tree.ts'
import type { PollRequest, PollResult, Source } from './source.ts'
import { type HttpLocation, parseHttpUrl, withoutSecrets } from './source-url.ts'

export type GitLimits = {
  /** A branch that holds releases is small; a distribution belongs on another branch. */
  packBytesMax: number
  /** Resident, of the worker: loading takes 90 MiB, and a pack is held about three times. */
  memoryBytesMax: number
}

const defaultLimits: GitLimits = {
  packBytesMax: 32 * 1024 * 1024,
  memoryBytesMax: 320 * 1024 * 1024,
}
const FETCH_MS_MAX = 300_000

export type GitSourceOptions = {
  url: string
  branch: string
  scratch: string
  limits?: GitLimits
}
type Fetched = Documents & { commit: string }

/**
 * A branch of a git repository. The tag is a commit id. A poll with nothing new asks for one ref
 * and nothing else; when that moved, the newest commit is fetched into a git directory that is
 * removed right after. Whether the branch went forwards is not looked at: signed versions order
 * releases.
 */
export class GitSource implements Source {
  readonly name: string
  readonly #options: GitSourceOptions
  readonly #transport: Transport
  /** A commit that cannot be a release tree is not fetched again until the branch moves. */
  #refused: { commit: string; error: RejectedError; request: string } | undefined

  constructor(options: GitSourceOptions) {
    const { url, branch, limits = defaultLimits } = options
    assertBranch(branch)
    this.#options = options
    this.#transport = /^https?:/i.test(url)
      ? new HttpTransport(parseHttpUrl(url), branch, limits)
      : new ProgramTransport(url, branch, limits)
    this.name = `git ${this.#transport.shown} ${branch}`
  }

  async poll(request: PollRequest): Promise<PollResult> {
    request.signal.throwIfAborted()
    assertChannel(request.channel)
    const head = await this.#transport.head(request.signal)
    if (head === request.seen) return { kind: 'unchanged', tag: head }
    const wanted = `${request.channel} ${request.rootVersion}`
    if (this.#refused?.commit === head && this.#refused.request === wanted) {
      throw this.#refused.error
    }
    try {
      const { commit: tag, roots, release } = await this.#fetch(request)
      return { kind: 'found', tag, roots, release }
    } catch (error) {
      if (error instanceof RejectedError) {
        this.#refused = { commit: head, error, request: wanted }
      }
      throw error
    }
  }

  async #fetch(request: PollRequest): Promise<Fetched> {
    mkdirSync(this.#options.scratch, { recursive: true, mode: 0o700 })
    const scratch = mkdtempSync(join(this.#options.scratch, 'git-'))
    try {
      return await this.#transport.fetch(request, scratch)
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  }
}

interface Transport {
  /** The address without its secrets. */
  readonly shown: string
  head(signal: AbortSignal): Promise<string>
  fetch(request: PollRequest, scratch: string): Promise<Fetched>
}

class HttpTransport implements Transport {
  readonly shown: string
  readonly #location: HttpLocation
  readonly #branch: string
  readonly #limits: GitLimits
  readonly #client: HttpClient
  #protocol: 0 | 2 = 2

  constructor(location: HttpLocation, branch: string, limits: GitLimits) {
    this.shown = location.url
    this.#location = location
    this.#branch = branch
    this.#limits = limits
    this.#client = new HttpClient({ credentials: location })
  }

  async head(signal: AbortSignal): Promise<string> {
    const query = { client: this.#client, url: this.#location.url, branch: this.#branch, signal }
    const { commit, protocol } = await readHead(query, this.#protocol)
    this.#protocol = protocol
    return commit
  }

  async fetch(request: PollRequest, scratch: string): Promise<Fetched> {
    const { channel, rootVersion, signal } = request
    const { url, authorization } = this.#location
    const { packBytesMax: bytesMax, memoryBytesMax } = this.#limits
    const limits = { bytesMax, memoryBytesMax, deadlineMs: FETCH_MS_MAX }
    const order = { url, branch: this.#branch, channel, rootVersion, scratch, ...limits }
    // Loaded by the few polls that find something: an idle agent stays light.
    const { runGitWorker } = await import('./git-child.ts')
    return await runGitWorker({ ...order, ...(authorization && { authorization }) }, signal)
  }
}

class ProgramTransport implements Transport {
  readonly shown: string
  readonly #url: string
  readonly #branch: string
  readonly #limits: GitLimits

  constructor(url: string, branch: string, limits: GitLimits) {
    assertProgramUrl(url)
    this.#limits = limits
    this.shown = withoutSecrets(url)
    this.#url = url
    this.#branch = branch
  }

  async head(signal: AbortSignal): Promise<string> {
    const run = { what: this.shown, signal, deadlineMs: 60_000 }
    const { listHead } = await import('./git-program.ts')
    const head = await listHead(this.#url, this.#branch, run)
    if (head !== undefined) return head
    const text = `Cannot read branch "${this.#branch}" of "${this.shown}": it does not exist`
    throw new TransientError('no-branch', text)
  }

  async fetch({ channel, rootVersion, signal }: PollRequest, scratch: string): Promise<Fetched> {
    const run: GitRun = {
      what: this.shown,
      signal,
      deadlineMs: FETCH_MS_MAX,
      cap: { directory: scratch, bytesMax: this.#limits.packBytesMax },
    }
    const { fetchHead, programObjects } = await import('./git-program.ts')
    const { readDocuments } = await import('./git-documents.ts')
    const gitdir = join(scratch, 'fetch.git')
    const commit = await fetchHead(gitdir, { url: this.#url, branch: this.#branch }, run)
    const objects = programObjects(gitdir, commit, run)
    const what = `${this.shown} ${this.#branch}`
    return { commit, ...(await readDocuments(objects, { channel, rootVersion, what })) }
  }
}

/** Anything that git would take for an option, a helper program or a pattern is refused. */
export function assertProgramUrl(url: string): void {
  const known = /^(ssh:\/\/|git\+ssh:\/\/|file:\/\/|\/)/.test(url)
  if (known || (/^[\w.-]+(@[\w.-]+)?:(?!:)/.test(url) && !url.includes('://'))) return
  const shown = withoutSecrets(url)
  throw new UsageError('config', `Cannot use git "${shown}": it is not http, https, ssh or a path`)
}

/** The rules of git-check-ref-format that matter, and nothing that is a pattern. */
export function assertBranch(branch: string): void {
  const plain = /^[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}$/.test(branch)
  const odd = /\.\.|\/\/|\/\.|\/$|\.$|\.lock(\/|$)/.test(branch)
  if (plain && !odd) return
  throw new UsageError('config', `Cannot use branch "${branch}": it is not a branch name`)
}
