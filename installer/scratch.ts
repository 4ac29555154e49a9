import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Store } from '../agent/store/store.ts'

/** Where Holdfast keeps what is its own beside a store: scratch trees and what it remembers. */
export function besideStore(store: Store): string {
  return join(store.root, '.holdfast')
}

/** Calls `use` with an empty directory on the store's file system, which is gone afterwards. */
export function withScratch<T>(store: Store, use: (directory: string) => T): T {
  mkdirSync(besideStore(store), { recursive: true })
  const directory = mkdtempSync(join(besideStore(store), 'scratch-'))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  let result: T
  try {
    result = use(directory)
  } catch (error) {
    remove()
    throw error
  }
  if (result instanceof Promise) return result.finally(remove) as T
  remove()
  return result
}
