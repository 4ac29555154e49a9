import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Writes files by path; undefined removes one. */
export function writeTree(directory: string, change: Record<string, string | undefined>): void {
  for (const [path, text] of Object.entries(change)) {
    const full = join(directory, path)
    if (text === undefined) {
      rmSync(full, { recursive: true, force: true })
      continue
    }
    mkdirSync(dirname(full), { recursive: true })
    // A new inode each time, as an atomic writer makes it.
    rmSync(full, { recursive: true, force: true })
    writeFileSync(full, text)
  }
}

/** Runs the real git in a directory, as nobody in particular, and returns what it printed. */
export function git(directory: string, ...words: string[]): string {
  const identity = { GIT_AUTHOR_NAME: 'T', GIT_AUTHOR_EMAIL: 't@example.org' }
  const committer = { GIT_COMMITTER_NAME: 'T', GIT_COMMITTER_EMAIL: 't@example.org' }
  return execFileSync('git', ['-C', directory, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null', ...identity, ...committer },
  }).trim()
}

export type TreeRepository = {
  /** Holds `fleet.git`, the bare repository, and a work tree beside it. */
  directory: string
  bare: string
  work: string
  /** Commits the change on `main` and pushes it; returns the commit id. */
  commit: (change: Record<string, string | undefined>) => string
}

/** A bare repository `fleet.git` with a clone to commit from. */
export function makeRepository(directory: string): TreeRepository {
  const bare = join(directory, 'fleet.git')
  const work = join(directory, 'work')
  git('/', 'init', '--quiet', '--bare', '--initial-branch=main', bare)
  git('/', 'init', '--quiet', '--initial-branch=main', work)
  const commit = (change: Record<string, string | undefined>) => {
    writeTree(work, change)
    git(work, 'add', '--all')
    git(work, 'commit', '--quiet', '--allow-empty', '--message', 'change')
    git(work, 'push', '--quiet', '--force', bare, 'HEAD:main')
    return git(work, 'rev-parse', 'HEAD')
  }
  return { directory, bare, work, commit }
}
