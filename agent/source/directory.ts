import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
} from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { SignedDocument } from '../codec/documents.ts'
import { isErrno, messageOf, RejectedError, TransientError, UsageError } from '../codec/errors.ts'
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

/** A pair that keeps changing under the reader is given up until the next poll. */
const READS_MAX = 3

/** A release tree in a directory, such as a mounted share or a stick. */
export class DirectorySource implements Source {
  readonly name: string
  readonly #directory: string

  constructor(directory: string) {
    if (!isAbsolute(directory)) {
      throw new UsageError('config', `Cannot use directory "${directory}": it is not absolute`)
    }
    this.#directory = directory
    this.name = `directory ${directory}`
  }

  async poll({ channel, rootVersion, seen, signal }: PollRequest): Promise<PollResult> {
    signal.throwIfAborted()
    assertChannel(channel)
    const document = releasePath(channel)
    for (let read = 0; read < READS_MAX; read += 1) {
      const tag = this.#tag(document, rootVersion)
      if (tag === seen) return { kind: 'unchanged', tag }
      const release = this.#read(document, 'no-release')
      const roots = this.#readRoots(rootVersion)
      // Several files, no transaction: what changed meanwhile is read again.
      if (this.#tag(document, rootVersion) === tag) return { kind: 'found', tag, roots, release }
    }
    throw new TransientError('torn', `Cannot read "${this.#path(document)}": it keeps changing`)
  }

  /** Times alone can repeat within a clock tick; a rename makes another inode. */
  #tag(document: string, rootVersion: number): string {
    const nextRoot = rootPath(rootVersion + 1)
    return [document, signaturesPath(document), nextRoot, signaturesPath(nextRoot)]
      .map(path => this.#stat(path))
      .map(info => (info ? `${info.mtimeNs}.${info.ino}.${info.size}` : '-'))
      .join(' ')
  }

  #stat(path: string): BigIntStats | undefined {
    return this.#attempt(path, () => {
      return lstatSync(this.#path(path), { bigint: true, throwIfNoEntry: false })
    })
  }

  #readRoots(rootVersion: number): SignedDocument[] {
    const roots: SignedDocument[] = []
    while (roots.length < ROOTS_MAX) {
      const path = rootPath(rootVersion + 1 + roots.length)
      if (this.#stat(path) === undefined) break
      roots.push(this.#read(path, 'torn'))
    }
    return roots
  }

  #read(path: string, absent: 'no-release' | 'torn'): SignedDocument {
    return {
      bytes: this.#readFile(path, DOCUMENT_BYTES_MAX, absent),
      signatures: this.#readFile(signaturesPath(path), SIGNATURES_BYTES_MAX, absent),
    }
  }

  #readFile(path: string, bytesMax: number, absent: 'no-release' | 'torn'): Buffer {
    const full = this.#path(path)
    return this.#attempt(path, () => {
      if (this.#stat(path) === undefined) {
        throw new TransientError(absent, `Cannot read "${full}": it does not exist`)
      }
      // Without O_NONBLOCK a FIFO in the place of a document would hang the agent.
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
      const handle = openSync(full, flags)
      try {
        return readRegularFile(handle, full, bytesMax)
      } finally {
        closeSync(handle)
      }
    })
  }

  #attempt<T>(path: string, action: () => T): T {
    try {
      return action()
    } catch (error) {
      const full = this.#path(path)
      if (isErrno(error, 'ELOOP')) {
        throw new RejectedError('source-tree', `Cannot read "${full}": it is a symbolic link`)
      }
      if (error instanceof Error && 'syscall' in error) {
        const text = `Cannot read "${full}": ${messageOf(error)}`
        throw new TransientError('unreachable', text, { cause: error })
      }
      throw error
    }
  }

  #path(path: string): string {
    return join(this.#directory, path)
  }
}

function readRegularFile(handle: number, path: string, bytesMax: number): Buffer {
  const info = fstatSync(handle)
  if (!info.isFile()) {
    throw new RejectedError('source-tree', `Cannot read "${path}": it is not a plain file`)
  }
  const bytes = Buffer.alloc(Math.min(info.size, bytesMax) + 1)
  let length = 0
  for (let count = -1; count !== 0 && length < bytes.length; length += count) {
    count = readSync(handle, bytes, length, bytes.length - length, null)
  }
  if (length > bytesMax) {
    throw new RejectedError('oversized', `Cannot read "${path}": it is over ${bytesMax} bytes`)
  }
  return bytes.subarray(0, length)
}
