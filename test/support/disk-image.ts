import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { temporaryDirectory } from './temporary.ts'

const images = new WeakMap<TestContext, DiskImage[]>()

/** A directory for images; all of them are unmounted before it is removed, when the test ends. */
export function imageDirectory(t: TestContext): string {
  images.set(t, [])
  t.after(() => {
    for (const image of images.get(t) ?? []) image.unmount()
  })
  return temporaryDirectory(t)
}

/**
 * An ext4 file system in a file. Nothing reaches the file but what is flushed: the journal of ext4
 * commits every 300 s, and a rename flushes nothing by itself.
 */
export class DiskImage {
  readonly file: string
  readonly mountPoint: string
  #mounted = false

  constructor(t: TestContext, file: string) {
    this.file = file
    this.mountPoint = `${file}.mnt`
    mkdirSync(this.mountPoint, { recursive: true })
    images.get(t)?.push(this)
  }

  make(bytes: number): this {
    writeFileSync(this.file, '')
    truncateSync(this.file, bytes)
    run('mke2fs', '-q', '-t', 'ext4', '-E', 'lazy_itable_init=0', this.file)
    return this
  }

  copyFrom(file: string): this {
    copyFileSync(file, this.file)
    return this
  }

  mount(): this {
    run('mount', '-o', 'loop,commit=300,noauto_da_alloc', this.file, this.mountPoint)
    this.#mounted = true
    return this
  }

  /** Flushed first: mount namespaces of others may keep it mounted for a while. */
  unmount(): void {
    if (this.#mounted) {
      run('sync', '-f', this.mountPoint)
      run('umount', this.mountPoint)
    }
    this.#mounted = false
  }
}

function run(program: string, ...words: string[]): void {
  execFileSync(program, words, { stdio: ['ignore', 'ignore', 'inherit'] })
}
