import * as fs from 'node:fs'
import { mkdtempSync, rmSync } from 'node:fs'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import git from 'isomorphic-git'
import { messageOf, TransientError } from '../agent/codec/errors.ts'
import { type GitTarget, type GitTransport, openTransport } from './git-transport.ts'

/** Files by path: at most one directory deep, as a release tree has them. */
export type TreeFiles = Map<string, Buffer>

type Entry = { mode: string; path: string; oid: string; type: 'blob' | 'tree' | 'commit' }

/**
 * The newest commit of one branch, in a throw-away repository: files are read from it, and a commit
 * that replaces some of them and keeps all others is pushed. Nothing is checked out.
 */
export class ReleaseBranch {
  readonly shown: string
  readonly #transport: GitTransport
  readonly #branch: string
  readonly #gitdir: string
  #head: string | undefined

  constructor(transport: GitTransport, branch: string, gitdir: string) {
    this.shown = transport.shown
    this.#transport = transport
    this.#branch = branch
    this.#gitdir = gitdir
  }

  /** Fetches the branch; one that does not exist yet is empty. Call `close` in the end. */
  static async open(target: GitTarget): Promise<ReleaseBranch> {
    const transport = openTransport(target)
    const gitdir = mkdtempSync(join(tmpdir(), 'holdfast-publish-'))
    const branch = new ReleaseBranch(transport, target.branch, gitdir)
    try {
      branch.#head = await transport.fetch(gitdir)
      return branch
    } catch (error) {
      branch.close()
      throw error
    }
  }

  /** The commit that was fetched or pushed last. */
  get head(): string | undefined {
    return this.#head
  }

  async read(path: string): Promise<Buffer | undefined> {
    const [folder = '', name = ''] = path.split('/')
    const directory = await this.#list(await this.#treeOf(folder))
    const entry = directory.find(entry => entry.path === name)
    if (entry?.type !== 'blob') return undefined
    const { blob } = await this.#git(() => git.readBlob({ ...this.#repository, oid: entry.oid }))
    return Buffer.from(blob)
  }

  /** `raced` when somebody else pushed first: open the branch again and decide anew. */
  async push(files: TreeFiles, message: string): Promise<'pushed' | 'raced'> {
    const commit = await this.#git(() => this.#commit(files, message))
    const outcome = await this.#transport.push(this.#gitdir, commit)
    if (outcome === 'pushed') this.#head = commit
    return outcome
  }

  close(): void {
    rmSync(this.#gitdir, { recursive: true, force: true })
  }

  get #repository() {
    return { fs, gitdir: this.#gitdir }
  }

  async #commit(files: TreeFiles, message: string): Promise<string> {
    const tree = await this.#replaceFiles(files)
    const person = { ...author(), timestamp: Math.floor(Date.now() / 1000), timezoneOffset: 0 }
    const parent = this.#head === undefined ? [] : [this.#head]
    const commit = { message: `${message}\n`, tree, parent, author: person, committer: person }
    return await git.writeCommit({ ...this.#repository, commit })
  }

  async #replaceFiles(files: TreeFiles): Promise<string> {
    const folders = Map.groupBy(files, ([path]) => path.split('/')[0]!)
    const top = new Map((await this.#list(this.#head)).map(entry => [entry.path, entry]))
    for (const [folder, changes] of folders) {
      const entries = new Map(
        (await this.#list(await this.#treeOf(folder))).map(entry => [entry.path, entry]),
      )
      for (const [path, bytes] of changes) {
        const name = path.split('/')[1]!
        const oid = await git.writeBlob({ ...this.#repository, blob: bytes })
        entries.set(name, { mode: '100644', path: name, oid, type: 'blob' })
      }
      const oid = await git.writeTree({ ...this.#repository, tree: [...entries.values()] })
      top.set(folder, { mode: '040000', path: folder, oid, type: 'tree' })
    }
    return await git.writeTree({ ...this.#repository, tree: [...top.values()] })
  }

  async #treeOf(folder: string): Promise<string | undefined> {
    const entry = (await this.#list(this.#head)).find(entry => entry.path === folder)
    return entry?.type === 'tree' ? entry.oid : undefined
  }

  async #list(oid: string | undefined): Promise<Entry[]> {
    if (oid === undefined) return []
    const { tree } = await this.#git(() => git.readTree({ ...this.#repository, oid }))
    return tree as Entry[]
  }

  async #git<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (cause) {
      const text = `Cannot read branch "${this.#branch}" of "${this.shown}": ${messageOf(cause)}`
      throw new TransientError('git', text, { cause })
    }
  }
}

/** Commits say who ran the command; they carry no authority for hosts. */
function author(): { name: string; email: string } {
  const { GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL, EMAIL } = process.env
  const name = GIT_AUTHOR_NAME ?? userName()
  return { name, email: GIT_AUTHOR_EMAIL ?? EMAIL ?? `${userName()}@${hostname()}` }
}

/** Containers run users that have no entry in passwd. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'holdfast'
  }
}
