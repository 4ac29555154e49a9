import { lstatSync } from 'node:fs'
import type { StorePath } from '../codec/documents.ts'
import type { Store } from './store.ts'

/**
 * Whether a path is registered and on the disk: the registry alone does not see what somebody
 * removed by hand, or what a disk has lost.
 */
export function isThere(store: Store, path: StorePath): boolean {
  if (!store.has(path)) return false
  return lstatSync(store.physical(path), { throwIfNoEntry: false }) !== undefined
}

/** Whether a path is there, with all that it refers to. */
export function isWhole(store: Store, path: StorePath): boolean {
  return store.has(path) && store.closure(path).every(info => isThere(store, info.path))
}
