import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../../agent/codec/documents.ts'
import { addToStore } from '../../agent/store/add-to-store.ts'
import type { Store } from '../../agent/store/store.ts'
import { encodeLayout } from '../../agent/system/layout-file.ts'
import { type Tree, writeTree } from './trees.ts'

/**
 * Puts a system of a few files into the store: no launchers, but everything that a root is made
 * of.
 */
export function tinySystem(
  store: Store,
  parts: { name: string; rootfs?: Tree; etc: Tree },
): { system: StorePath; etc: StorePath; rootfs: StorePath | undefined } {
  const { name } = parts
  const add = (tree: Tree, what: string, references: StorePath[]) => {
    const source = writeTree(mkdtempSync(join(store.root, 'source-')), tree)
    return addToStore({ store, source, name: what, references }).path
  }
  const etc = add(parts.etc, 'etc', [])
  const rootfs = parts.rootfs === undefined ? undefined : add(parts.rootfs, 'rootfs', [])
  const layout = { name, services: 'plain' as const, etc, ...(rootfs && { rootfs }) }
  const references = [etc, ...(rootfs === undefined ? [] : [rootfs])]
  const files = { 'layout.json': encodeLayout(layout).toString() }
  return { system: add(files, `${name}-system`, references), etc, rootfs }
}
