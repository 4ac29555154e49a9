import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../agent/codec/documents.ts'

/**
 * Replaces `@NAME@` by a package's store path in every text file of the tree. Files with a NUL byte
 * are no text; other words between at signs stay as they are.
 */
export function substitutePackages(tree: string, packages: Map<string, StorePath>): void {
  if (packages.size === 0) return
  for (const entry of readdirSync(tree)) {
    const path = join(tree, entry)
    const stat = lstatSync(path)
    if (stat.isDirectory()) substitutePackages(path, packages)
    else if (stat.isFile()) substituteFile(path, packages)
  }
}

function substituteFile(path: string, packages: Map<string, StorePath>): void {
  const bytes = readFileSync(path)
  if (!bytes.includes('@') || bytes.includes(0)) return
  const text = bytes.toString('latin1') // One character per byte: the rest is unchanged.
  const result = text.replace(/@([A-Za-z0-9+._?=-]+)@/g, (word, name: string) => {
    return packages.get(name) ?? word
  })
  if (result !== text) writeFileSync(path, result, 'latin1')
}
