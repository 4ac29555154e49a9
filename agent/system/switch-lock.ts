import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TransientError } from '../codec/errors.ts'

/**
 * Holds `<prefix>/run/holdfast/switch.lock` while `work` runs; TransientError `switch-busy` when
 * another process does. The lock is one of the kernel's, taken through SQLite, as Node has no
 * flock: it ends with its process, however that ends, so there is no stale lock to guess about.
 */
export async function withSwitchLock<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  const { DatabaseSync } = await import('node:sqlite')
  const folder = join(prefix, 'run/holdfast')
  mkdirSync(folder, { recursive: true })
  const lock = new DatabaseSync(join(folder, 'switch.lock'))
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    // SQLITE_BUSY; anything else is an error of the file system, and reported as such.
    if ((cause as { errcode?: number }).errcode !== 5) throw cause
    throw new TransientError(
      'switch-busy',
      `Cannot switch "${prefix}": another switch is running`,
      {
        cause,
      },
    )
  }
  try {
    return await work()
  } finally {
    lock.close()
  }
}
