import { lstatSync, readdirSync } from 'node:fs'
import type { PathInfo } from '../codec/documents.ts'
import { narDigest } from '../codec/nar-write.ts'
import { joinBytes, STORE_MTIME } from './tree-copy.ts'

/**
 * Whether the tree at `path` is what `info` says, with the modes and times that a store gives, and
 * nobody else's: its owner could change it again.
 */
export function checkTree(path: string, info: Pick<PathInfo, 'narHash' | 'narSize'>): boolean {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return false
  if (!isCanonical(Buffer.from(path))) return false
  const { narHash, narSize } = narDigest(path)
  return narHash === info.narHash && narSize === info.narSize
}

function isCanonical(top: Buffer): boolean {
  const stack = [top]
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    const stat = lstatSync(path)
    const mode = stat.mode & 0o7777
    if (stat.uid !== process.getuid?.()) return false
    if (stat.mtimeMs !== STORE_MTIME * 1000) return false
    if (stat.isSymbolicLink()) continue
    if (stat.isDirectory()) {
      if (mode !== 0o555) return false
      for (const name of readdirSync(path, 'buffer')) stack.push(joinBytes(path, name))
    } else if (!stat.isFile() || (mode !== 0o444 && mode !== 0o555)) return false
  }
  return true
}
