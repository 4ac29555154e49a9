import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '../agent/codec/errors.ts'
import type { Store } from '../agent/store/store.ts'

/** Where Holdfast keeps what is its own beside a store: scratch trees and what it remembers. */
export function besideStore(store: Store): string {
  return join(store.root, '.holdfast')
}

/** Calls `use` with an empty directory on the store's file system, which is gone afterwards. */
export function withScratch<T>(store: Store, use: (directory: string) => T): T {
  mkdirSync(besideStore(store), { recursive: true })
  removeAbandoned(besideStore(store))
  const directory = mkdtempSync(join(besideStore(store), `scratch-${process.pid}-`))
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

/** What a build left behind that was killed. */
function removeAbandoned(beside: string): void {
  for (const name of readdirSync(beside)) {
    const maker = /^scratch-(\d+)-/.exec(name)?.[1]
    if (maker === undefined || isAlive(Number(maker))) continue
    rmSync(join(beside, name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return !isErrno(error, 'ESRCH')
  }
}
