import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { PathInfo, StorePath } from '../codec/documents.ts'
import { HostError, UsageError } from '../codec/errors.ts'
import { parseStorePath } from '../codec/store-path.ts'
import { linkDurably, syncDirectory } from '../files/durable.ts'
import { Registry } from './registry.ts'
import type { Store } from './store.ts'

export type OpenStoreOptions = {
  /** Nothing is made or changed; the store may lie on a read-only medium. */
  readOnly?: boolean
  /** False refuses a store that is not there yet; true, the default, makes it. */
  create?: boolean
}

/**
 * Opens the store under `root`: `/` on a host, and elsewhere what Nix calls `local?root=ROOT`.
 * Errors: UsageError `missing` without a store, HostError `store-schema` for one we do not know.
 */
export function openStore(root: string, options: OpenStoreOptions = {}): Store {
  const top = resolve(root)
  const state = join(top, 'nix/var/nix')
  const readOnly = options.readOnly === true
  if (readOnly || options.create === false) {
    if (!existsSync(join(state, 'db/db.sqlite'))) {
      throw new UsageError('missing', `Cannot open the store of "${top}": there is none`)
    }
  }
  if (!readOnly) makeDirectories(top)
  return new LocalStore(top, new Registry(join(state, 'db'), { readOnly }))
}

class LocalStore implements Store {
  readonly root: string
  readonly #registry: Registry

  constructor(root: string, registry: Registry) {
    this.root = root
    this.#registry = registry
  }

  physical(path: StorePath): string {
    return join(this.root, parseStorePath(path).path)
  }

  has(path: StorePath): boolean {
    return this.#registry.has(path)
  }

  query(path: StorePath): PathInfo | undefined {
    return this.#registry.query(path)
  }

  paths(): StorePath[] {
    return this.#registry.paths()
  }

  closure(path: StorePath): PathInfo[] {
    return closureOf(path, one => this.#registry.query(one))
  }

  register(infos: PathInfo[]): void {
    this.#registry.register(infos)
  }

  setRoot(name: string, path: StorePath): void {
    const directory = this.#roots()
    mkdirSync(directory, { recursive: true })
    linkDurably(join(directory, rootName(name)), parseStorePath(path).path)
  }

  removeRoot(name: string): void {
    const directory = this.#roots()
    if (!existsSync(directory)) return
    rmSync(join(directory, rootName(name)), { force: true })
    syncDirectory(directory)
  }

  close(): void {
    this.#registry.close()
  }

  #roots(): string {
    return join(this.root, 'nix/var/nix/gcroots/holdfast')
  }
}

/** Depth first with a stack of our own, as a graph may be deeper than the call stack. */
function closureOf(top: StorePath, query: (path: StorePath) => PathInfo | undefined): PathInfo[] {
  const seen = new Set<StorePath>()
  const ordered: PathInfo[] = []
  const stack: { path: StorePath; done?: PathInfo }[] = [{ path: top }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next.done !== undefined) {
      ordered.push(next.done)
      continue
    }
    if (seen.has(next.path)) continue
    seen.add(next.path)
    const info = query(next.path)
    if (info === undefined) {
      throw new HostError('missing-path', `Cannot use "${next.path}": it is not a valid path here`)
    }
    stack.push({ path: next.path, done: info })
    for (const reference of info.references) stack.push({ path: reference })
  }
  return ordered
}

function rootName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return name
  throw new UsageError('usage', `Cannot name a garbage-collection root "${name}"`)
}

/** The directories that Nix makes, for it gives up on some that are missing. */
function makeDirectories(root: string): void {
  for (const path of [
    'nix/store',
    'nix/var/nix/db',
    'nix/var/nix/gcroots/holdfast',
    'nix/var/nix/profiles',
    'nix/var/nix/temproots',
  ]) {
    mkdirSync(join(root, path), { recursive: true, mode: 0o755 })
  }
}
