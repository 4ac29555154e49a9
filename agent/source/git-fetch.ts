import * as fs from 'node:fs'
import { join } from 'node:path'
import git from 'isomorphic-git'
import type { SignedDocument } from '../codec/documents.ts'
import { messageOf, RejectedError, TransientError } from '../codec/errors.ts'
import { type GitObjects, readDocuments, type TreeEntry } from './git-documents.ts'
import { gitHttp } from './git-http.ts'
import type { FetchOrder } from './git-order.ts'
import { HttpClient } from './http-client.ts'

type Fetched = { commit: string; release: SignedDocument; roots: SignedDocument[] }

/** Fetches the newest commit of a branch, and nothing older, into a throw-away git directory. */
export async function fetchDocuments(order: FetchOrder): Promise<Fetched> {
  const { url, branch, channel, rootVersion, scratch } = order
  const gitdir = join(scratch, 'fetch.git')
  const commit = await fetchBranch(order, gitdir)
  if (commit === undefined) {
    const text = `Cannot read branch "${branch}" of "${url}": it does not exist`
    throw new TransientError('no-branch', text)
  }
  const objects = await openCommit(gitdir, commit, url)
  const what = `${url} ${branch}`
  return { commit, ...(await readDocuments(objects, { channel, rootVersion, what })) }
}

/** Undefined when the branch or the whole repository is not there yet. */
async function fetchBranch(order: FetchOrder, gitdir: string): Promise<string | undefined> {
  const { url, authorization, branch, bytesMax, deadlineMs } = order
  const credentials = { origin: new URL(url).origin, ...(authorization && { authorization }) }
  const http = gitHttp({ client: new HttpClient({ credentials }), bytesMax, deadlineMs })
  try {
    await git.init({ fs, gitdir, bare: true, defaultBranch: 'none' })
    await git.addRemote({ fs, gitdir, remote: 'origin', url })
    const ref = `refs/heads/${branch}`
    const options = { ref, remoteRef: ref, singleBranch: true, depth: 1, tags: false }
    const { fetchHead } = await git.fetch({ fs, http, gitdir, url, remote: 'origin', ...options })
    return fetchHead ?? undefined
  } catch (error) {
    http.rethrow()
    if (error instanceof git.Errors.NotFoundError) return undefined
    const text = `Cannot fetch "${url}": ${firstLine(messageOf(error))}`
    throw new TransientError('git', text, { cause: error })
  }
}

async function openCommit(gitdir: string, commit: string, url: string): Promise<GitObjects> {
  const cache = {}
  const read = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action()
    } catch (error) {
      const text = `Cannot read "${url}": ${firstLine(messageOf(error))}`
      throw new TransientError('git', text, { cause: error })
    }
  }
  const list = async (oid: string) => {
    const { tree } = await read(() => git.readTree({ fs, cache, gitdir, oid }))
    return new Map(
      tree.map(({ path, mode, type, oid }): [string, TreeEntry] => {
        return [path, { mode, type, oid }]
      }),
    )
  }
  const top = await list(commit)
  const folders = new Map<string, Map<string, TreeEntry> | undefined>()
  return {
    async directory(path) {
      const entry = top.get(path)
      if (entry === undefined) return undefined
      if (entry.type !== 'tree') {
        throw new RejectedError(
          'source-tree',
          `Cannot read "${path}" of "${url}": it is not a directory`,
        )
      }
      if (!folders.has(path)) folders.set(path, await list(entry.oid))
      return folders.get(path)
    },
    async blob(oid, path, bytesMax) {
      const { blob } = await read(() => git.readBlob({ fs, cache, gitdir, oid }))
      if (blob.length <= bytesMax) return Buffer.from(blob)
      const text = `Cannot read "${path}" of "${url}": it is over ${bytesMax} bytes`
      throw new RejectedError('oversized', text)
    },
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!.slice(0, 300)
}
