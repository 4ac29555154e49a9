import type { PathInfo, StorePath } from '../codec/documents.ts'

/** The store of one root directory, with its registry in Nix's own schema. */
export interface Store {
  /** `/` on a host; elsewhere the directory under which `nix/store` lies. */
  readonly root: string
  /** Where the path really lies: `<root>/nix/store/…`. */
  physical(path: StorePath): string
  /** Whether the path is registered as valid. */
  has(path: StorePath): boolean
  query(path: StorePath): PathInfo | undefined
  /** Every valid path, sorted. */
  paths(): StorePath[]
  /** The path and all it references, references first. Fails with `missing-path`. */
  closure(path: StorePath): PathInfo[]
  /** Registers all in one durable transaction; the files are already in place and flushed. */
  register(infos: PathInfo[]): void
  /** Points the garbage-collection root `gcroots/holdfast/<name>` at a path, durably. */
  setRoot(name: string, path: StorePath): void
  removeRoot(name: string): void
  close(): void
}
