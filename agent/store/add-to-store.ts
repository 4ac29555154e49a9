import { mkdtempSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { PathInfo, StorePath } from '../codec/documents.ts'
import { HostError } from '../codec/errors.ts'
import { narDigest } from '../codec/nar-write.ts'
import { fixedOutputPath } from '../codec/store-path.ts'
import { syncDirectory } from '../files/durable.ts'
import { flushTrees } from './flush.ts'
import { makeStaging, moveIntoPlace, removeTree } from './staging.ts'
import type { Store } from './store.ts'
import { copyCanonically } from './tree-copy.ts'

export type AddRequest = {
  store: Store
  /** A file, link or directory. */
  source: string
  /** What follows the hash in the store path. */
  name: string
  /** Every store path whose hash occurs in it; all of them valid already. */
  references: StorePath[]
}

/**
 * Copies a tree into the store as the content-addressed path that `nix-store --add` would make of
 * it, and registers it. The hash is of the copy, so a source that changes meanwhile does no harm.
 * A path that is there already is left alone.
 */
export function addToStore(request: AddRequest): PathInfo {
  const { store, source, name } = request
  const references = [...new Set(request.references)].sort()
  requireValid(store, references)
  const scratch = mkdtempSync(join(makeStaging(store.root, 'add'), 'tree-'))
  try {
    const copy = join(scratch, 'copy')
    copyCanonically(Buffer.from(source), Buffer.from(copy))
    const { narHash, narSize, sha256 } = narDigest(copy)
    const path = fixedOutputPath({ name, sha256, references, self: false })
    const known = store.query(path)
    if (known !== undefined) return known
    const info: PathInfo = { path, narHash, narSize, references, ca: `fixed:r:${narHash}` }
    flushTrees([copy])
    moveIntoPlace(copy, store.physical(path), scratch)
    syncDirectory(dirname(store.physical(path)))
    store.register([info])
    return info
  } finally {
    removeTree(scratch)
  }
}

function requireValid(store: Store, references: StorePath[]): void {
  const absent = references.find(path => !store.has(path))
  if (absent === undefined) return
  throw new HostError('missing-path', `Cannot refer to "${absent}": it is not a valid path here`)
}
