import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../agent/codec/documents.ts'
import { parseStorePath } from '../agent/codec/store-path.ts'

/**
 * The store paths among `candidates` whose hash occurs in a file or link of the tree: how Nix finds
 * references too, so that nothing which is named can be collected.
 */
export function findReferences(tree: string, candidates: StorePath[]): StorePath[] {
  const missing = new Map(candidates.map(path => [path, Buffer.from(parseStorePath(path).hash)]))
  const found: StorePath[] = []
  const stack = [tree]
  for (let path = stack.pop(); path !== undefined && missing.size > 0; path = stack.pop()) {
    const stat = lstatSync(path)
    if (stat.isDirectory()) {
      for (const name of readdirSync(path)) stack.push(join(path, name))
      continue
    }
    const bytes = stat.isSymbolicLink() ? Buffer.from(readlinkSync(path)) : readFileSync(path)
    for (const [candidate, hash] of missing) {
      if (!bytes.includes(hash)) continue
      missing.delete(candidate)
      found.push(candidate)
    }
  }
  return found.sort()
}
