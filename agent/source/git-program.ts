import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno, messageOf, RejectedError, TransientError } from '../codec/errors.ts'
import type { GitObjects, TreeEntry } from './git-documents.ts'
import { withoutSecrets } from './source-url.ts'

const OUTPUT_BYTES_MAX = 8 * 1024 * 1024
const COMPLAINT_BYTES_MAX = 4096
const WATCH_MS = 50

export type GitRun = {
  /** What messages call the repository. */
  what: string
  signal?: AbortSignal
  deadlineMs?: number
  /** Watched while git runs: more than this in `directory` and git is ended. */
  cap?: { directory: string; bytesMax: number }
  input?: Uint8Array
}

/**
 * Runs the git program, which has the transports that isomorphic-git lacks: ssh and the file
 * system. It never asks anybody anything. Fails with `git` and git's own last words.
 */
export async function runGit(words: string[], run: GitRun): Promise<Buffer> {
  run.signal?.throwIfAborted()
  const child = spawn('git', words, {
    env: gitVariables(),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // A group of its own, so that ssh ends with it.
  })
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => {})
  const stops = watchRun(run, reject)
  try {
    const output = await Promise.race([outputOf(child, run), failed])
    refuseOverCap(run) // It may have been faster than the watch.
    return output
  } finally {
    for (const stop of stops) stop()
    endGroup(child)
  }
}

function gitVariables(): NodeJS.ProcessEnv {
  return {
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=20',
    ...process.env,
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    GIT_OPTIONAL_LOCKS: '0',
    LC_ALL: 'C.UTF-8',
  }
}

function watchRun(run: GitRun, reject: (error: unknown) => void): (() => void)[] {
  const { signal, what, deadlineMs = 300_000 } = run
  const abort = () => reject(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  const late = setTimeout(() => {
    const text = `Cannot reach "${what}": it took longer than ${deadlineMs / 1000} s`
    reject(new TransientError('unreachable', text))
  }, deadlineMs)
  const size = setInterval(() => {
    try {
      refuseOverCap(run)
    } catch (error) {
      reject(error)
    }
  }, WATCH_MS)
  return [
    () => signal?.removeEventListener('abort', abort),
    () => clearTimeout(late),
    () => clearInterval(size),
  ]
}

function refuseOverCap({ cap, what }: GitRun): void {
  if (cap === undefined || treeBytes(cap.directory) <= cap.bytesMax) return
  const text = `Cannot read "${what}": it is larger than ${cap.bytesMax} bytes`
  throw new RejectedError('oversized', text)
}

/** Files come and go while git works: what is gone counts nothing. */
function treeBytes(directory: string): number {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => {
        const path = join(entry.parentPath, entry.name)
        return statSync(path, { throwIfNoEntry: false })?.size ?? 0
      })
      .reduce((sum, size) => sum + size, 0)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0
    throw error
  }
}

function outputOf(child: ChildProcess, run: GitRun): Promise<Buffer> {
  const { what, input } = run
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    let complaint = ''
    child.stdout?.on('data', (bytes: Buffer) => {
      size += bytes.length
      if (size <= OUTPUT_BYTES_MAX) chunks.push(bytes)
      else reject(new RejectedError('oversized', `Cannot read "${what}": git says too much`))
    })
    child.stderr?.on('data', (bytes: Buffer) => {
      complaint = (complaint + bytes.toString()).slice(-COMPLAINT_BYTES_MAX)
    })
    child.stdin?.on('error', () => {}) // git may end before it has read everything.
    child.stdin?.end(input)
    child.once('error', cause => {
      const absent = isErrno(cause, 'ENOENT')
      const reason = absent ? 'the program git is not installed' : messageOf(cause)
      const code = absent ? 'missing' : 'git'
      reject(new TransientError(code, `Cannot read "${what}": ${reason}`, { cause }))
    })
    child.once('close', code => {
      if (code === 0) resolve(Buffer.concat(chunks))
      else reject(new TransientError('git', `Cannot use "${what}": ${lastWords(complaint, code)}`))
    })
  })
}

function lastWords(complaint: string, code: number | null): string {
  const lines = complaint.split('\n').map(line => line.trim())
  const line = lines.find(line => /^(fatal|error|ERROR|ssh|.*rejected)/.test(line))
  return (line ?? lines.find(line => line !== '') ?? `git ended with ${code}`)
    .replaceAll(/[a-z+]+:\/\/\S+/g, withoutSecrets)
    .slice(0, 300)
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error
  }
}

/** The commit id of the branch; undefined when there is none of that name. */
export async function listHead(
  url: string,
  branch: string,
  run: GitRun,
): Promise<string | undefined> {
  const ref = `refs/heads/${branch}`
  const output = await runGit(['ls-remote', '--refs', '--', url, ref], run)
  for (const line of output.toString().split('\n')) {
    const match = /^([0-9a-f]{40})\t(.*)$/.exec(line)
    if (match?.[2] === ref) return match[1]!
  }
  return undefined
}

/**
 * Makes a bare repository at `gitdir` that holds the newest commit of the branch; returns its id.
 */
export async function fetchHead(
  gitdir: string,
  { url, branch }: { url: string; branch: string },
  run: GitRun,
): Promise<string> {
  await runGit(['init', '--quiet', '--bare', '--initial-branch=none', gitdir], run)
  const refspec = `+refs/heads/${branch}:refs/heads/${branch}`
  const quiet = ['--quiet', '--depth=1', '--no-tags', '--no-write-fetch-head']
  await runGit(['-C', gitdir, 'fetch', ...quiet, '--', url, refspec], run)
  const output = await runGit(['-C', gitdir, 'rev-parse', `refs/heads/${branch}`], run)
  return output.toString().trim()
}

/** Reads objects of one commit with the git program. */
export function programObjects(gitdir: string, commit: string, run: GitRun): GitObjects {
  const git = (...words: string[]) => runGit(['-C', gitdir, ...words], run)
  return {
    async directory(path) {
      const output = await git('ls-tree', '-z', commit, '--', `${path}/`)
      const entries = output.toString().split('\0').filter(Boolean).map(readEntry)
      return entries.length === 0 ? undefined : new Map(entries)
    },
    async blob(oid, path, bytesMax) {
      const size = Number((await git('cat-file', '-s', oid)).toString())
      if (size <= bytesMax) return await git('cat-file', 'blob', oid)
      const text = `Cannot read "${path}" of "${run.what}": it is over ${bytesMax} bytes`
      throw new RejectedError('oversized', text)
    },
  }
}

/** `<mode> <type> <id>\t<path>`. */
function readEntry(line: string): [string, TreeEntry] {
  const [head = '', path = ''] = line.split('\t')
  const [mode = '', type = '', oid = ''] = head.split(' ')
  return [path.split('/').at(-1)!, { mode, type, oid }]
}
