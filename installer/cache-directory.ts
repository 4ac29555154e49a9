import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno, UsageError } from '../agent/codec/errors.ts'
import { STORE_DIR } from '../agent/codec/store-path.ts'
import { syncDirectory } from '../agent/files/durable.ts'

/** What Nix reads first: whose store paths these are, and that asking for many at once is fine. */
const CACHE_INFO = `StoreDir: ${STORE_DIR}\nWantMassQuery: 1\nPriority: 40\n`
const scratchPrefix = '.writing-'

/**
 * A static binary cache that is being written. A file gets its name only when it is whole and
 * flushed, so that a web server may serve the directory all the time.
 */
export class CacheDirectory {
  readonly path: string
  readonly #scratch: string
  #files = 0

  /** Makes the directory where it is missing; fails with `config` where a file has its name. */
  constructor(path: string) {
    this.path = path
    if (existsSync(path) && !statSync(path).isDirectory()) {
      throw new UsageError('config', `Cannot write a cache to "${path}": it is not a directory`)
    }
    for (const name of ['nar', 'closures']) mkdirSync(join(path, name), { recursive: true })
    this.#removeStaleScratch()
    this.#scratch = join(path, `${scratchPrefix}${process.pid}`)
    mkdirSync(this.#scratch, { recursive: true })
  }

  /** Fails with `cache-conflict` on a cache of another store. */
  async writeCacheInfo(): Promise<void> {
    const known = this.read('nix-cache-info')?.toString()
    if (known === undefined) return await this.place('nix-cache-info', CACHE_INFO)
    const storeDir = /^StoreDir: *(.*)$/m.exec(known)?.[1]
    if (storeDir !== undefined && storeDir !== STORE_DIR) {
      const is = `it is a cache of "${storeDir}"`
      throw new UsageError('cache-conflict', `Cannot write to "${this.path}": ${is}`)
    }
  }

  /** The bytes of a file of the cache, or undefined where there is none. */
  read(name: string): Buffer | undefined {
    try {
      return readFileSync(join(this.path, name))
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }

  /** The size of a file of the cache, or undefined where there is none. */
  size(name: string): number | undefined {
    return statSync(join(this.path, name), { throwIfNoEntry: false })?.size
  }

  /** A name for a file that is not yet whole, in the same file system. */
  scratchFile(): string {
    this.#files++
    return join(this.#scratch, String(this.#files))
  }

  /** Gives a file its name once it is whole; it is flushed, its name only with `sync`. */
  async place(name: string, bytes: Uint8Array | string): Promise<void> {
    const temporary = this.scratchFile()
    const file = await open(temporary, 'w', 0o644)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, join(this.path, name))
  }

  /** Flushes the names given so far in a folder of the cache, or in the cache itself. */
  sync(folder = '.'): void {
    syncDirectory(join(this.path, folder))
  }

  close(): void {
    rmSync(this.#scratch, { recursive: true, force: true })
  }

  /** What a writer left behind that was killed. */
  #removeStaleScratch(): void {
    for (const name of readdirSync(this.path)) {
      if (!name.startsWith(scratchPrefix)) continue
      const pid = Number(name.slice(scratchPrefix.length))
      if (isRunning(pid)) continue
      rmSync(join(this.path, name), { recursive: true, force: true })
    }
  }
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return isErrno(error, 'EPERM')
  }
}
