import * as fs from 'node:fs'
import git from 'isomorphic-git'
import { messageOf, TransientError } from '../agent/codec/errors.ts'
import { assertProgramUrl } from '../agent/source/git.ts'
import { gitHttp } from '../agent/source/git-http.ts'
import { fetchHead, listHead, runGit } from '../agent/source/git-program.ts'
import { HttpClient } from '../agent/source/http-client.ts'
import { parseHttpUrl, withoutSecrets } from '../agent/source/source-url.ts'

/** A commit on the operator's own machine may be larger than what a host accepts. */
const FETCH_BYTES_MAX = 1024 * 1024 * 1024
const DEADLINE_MS = 600_000

/** Moves commits between a bare repository on this machine and one branch elsewhere. */
export interface GitTransport {
  /** The address without its secrets. */
  readonly shown: string
  /** Makes `gitdir` and fetches the newest commit; undefined when the branch is not there yet. */
  fetch(gitdir: string): Promise<string | undefined>
  /** `raced` when somebody else pushed in between. Errors: TransientError `push`. */
  push(gitdir: string, commit: string): Promise<'pushed' | 'raced'>
}

export type GitTarget = { url: string; branch: string; signal: AbortSignal }

/** isomorphic-git for HTTP; the git program for what it cannot do: ssh and the file system. */
export function openTransport(target: GitTarget): GitTransport {
  return /^https?:/i.test(target.url) ? overHttp(target) : byProgram(target)
}

function overHttp({ url: address, branch, signal }: GitTarget): GitTransport {
  const location = parseHttpUrl(address)
  const { url } = location
  const ref = `refs/heads/${branch}`
  const open = () => {
    const client = new HttpClient({ credentials: location })
    return gitHttp({ client, bytesMax: FETCH_BYTES_MAX, deadlineMs: DEADLINE_MS, signal })
  }
  return {
    shown: url,
    async fetch(gitdir) {
      const http = open()
      const common = { fs, http, gitdir, url, remote: 'origin' }
      try {
        await git.init({ fs, gitdir, bare: true, defaultBranch: 'none' })
        await git.addRemote({ fs, gitdir, remote: 'origin', url })
        const options = { ref, remoteRef: ref, singleBranch: true, depth: 1, tags: false }
        const { fetchHead } = await git.fetch({ ...common, ...options })
        return fetchHead ?? undefined
      } catch (error) {
        http.rethrow()
        if (error instanceof git.Errors.NotFoundError) return undefined
        const text = `Cannot fetch "${url}": ${messageOf(error)}`
        throw new TransientError('git', text, { cause: error })
      }
    },
    async push(gitdir, commit) {
      const http = open()
      try {
        await git.writeRef({ fs, gitdir, ref, value: commit, force: true })
        await git.push({ fs, http, gitdir, url, remote: 'origin', ref, remoteRef: ref })
        return 'pushed'
      } catch (error) {
        http.rethrow()
        if (error instanceof git.Errors.PushRejectedError || lostRace(messageOf(error))) {
          return 'raced'
        }
        throw refusedPush(url, branch, error)
      }
    },
  }
}

function byProgram({ url, branch, signal }: GitTarget): GitTransport {
  assertProgramUrl(url)
  const shown = withoutSecrets(url)
  const run = { what: shown, signal, deadlineMs: DEADLINE_MS }
  return {
    shown,
    async fetch(gitdir) {
      const head = await listHead(url, branch, run)
      if (head !== undefined) return await fetchHead(gitdir, { url, branch }, run)
      await runGit(['init', '--quiet', '--bare', '--initial-branch=none', gitdir], run)
      return undefined
    },
    async push(gitdir, commit) {
      try {
        const refspec = `${commit}:refs/heads/${branch}`
        await runGit(['-C', gitdir, 'push', '--quiet', '--', url, refspec], run)
        return 'pushed'
      } catch (error) {
        if (lostRace(messageOf(error))) return 'raced'
        throw refusedPush(shown, branch, error)
      }
    },
  }
}

/** What git and its servers say when the branch moved between fetch and push. */
function lostRace(message: string): boolean {
  const words = 'fetch first|non-fast-forward|cannot lock ref|failed to update ref|already exists'
  return new RegExp(words, 'i').test(message)
}

function refusedPush(shown: string, branch: string, cause: unknown): TransientError {
  const is = messageOf(cause).split('\n', 1)[0]
  return new TransientError('push', `Cannot push branch "${branch}" to "${shown}": ${is}`, {
    cause,
  })
}
