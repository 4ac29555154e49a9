import { hash } from 'node:crypto'
import type { SignedDocument } from '../codec/documents.ts'
import { RejectedError, TransientError } from '../codec/errors.ts'
import {
  DOCUMENT_BYTES_MAX,
  ROOTS_MAX,
  releasePath,
  rootPath,
  SIGNATURES_BYTES_MAX,
  signaturesPath,
} from './release-tree.ts'

/** One entry of a git tree, by the words of `git ls-tree`. */
export type TreeEntry = { mode: string; type: string; oid: string }

/**
 * The two ways to read objects: isomorphic-git in the worker, the git program for ssh and files.
 */
export interface GitObjects {
  /** Entries of the directory at `path` in the commit, by name; undefined when it is not there. */
  directory(path: string): Promise<Map<string, TreeEntry> | undefined>
  /** The content of a blob; refuses more than `bytesMax` with `oversized`. */
  blob(oid: string, path: string, bytesMax: number): Promise<Buffer>
}

export type WantedDocuments = { channel: string; rootVersion: number; what: string }
export type Documents = { roots: SignedDocument[]; release: SignedDocument }

/**
 * Reads the documents by their blob ids. Nothing is ever checked out, so links, submodules and odd
 * names elsewhere in the tree mean nothing; in the place of a document they are refused.
 */
export async function readDocuments(
  objects: GitObjects,
  wanted: WantedDocuments,
): Promise<Documents> {
  const { channel, rootVersion, what } = wanted
  const read = async (path: string): Promise<SignedDocument | undefined> => {
    const bytes = await readBlob(objects, { path, bytesMax: DOCUMENT_BYTES_MAX, what })
    if (bytes === undefined) return undefined
    const beside = signaturesPath(path)
    const query = { path: beside, bytesMax: SIGNATURES_BYTES_MAX, what }
    const signatures = await readBlob(objects, query)
    if (signatures !== undefined) return { bytes, signatures }
    throw new RejectedError('source-tree', `Cannot read "${what}": it has no "${beside}"`)
  }
  const release = await read(releasePath(channel))
  if (release === undefined) {
    const path = releasePath(channel)
    throw new RejectedError('no-release', `Cannot read "${what}": it has no "${path}"`)
  }
  const roots: SignedDocument[] = []
  while (roots.length < ROOTS_MAX) {
    const root = await read(rootPath(rootVersion + 1 + roots.length))
    if (root === undefined) break
    roots.push(root)
  }
  return { roots, release }
}

type BlobQuery = { path: string; bytesMax: number; what: string }

async function readBlob(
  objects: GitObjects,
  { path, bytesMax, what }: BlobQuery,
): Promise<Buffer | undefined> {
  const [folder = '', name = ''] = path.split('/')
  const entry = (await objects.directory(folder))?.get(name)
  if (entry === undefined) return undefined
  if (entry.mode !== '100644' && entry.mode !== '100755') {
    const kind = kinds[entry.mode] ?? 'not a file'
    throw new RejectedError('source-tree', `Cannot read "${path}" of "${what}": it is ${kind}`)
  }
  const bytes = await objects.blob(entry.oid, path, bytesMax)
  // A transport that flips a bit must not look like a wrong release, which would be remembered.
  if (hash('sha1', Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes])) === entry.oid) {
    return bytes
  }
  throw new TransientError('git', `Cannot read "${path}" of "${what}": it arrived damaged`)
}

const kinds: Record<string, string> = {
  '040000': 'a directory',
  '40000': 'a directory',
  '120000': 'a symbolic link',
  '160000': 'a submodule',
}
