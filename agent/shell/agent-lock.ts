import { DatabaseSync } from 'node:sqlite'
import { HostError, messageOf } from '../codec/errors.ts'

/**
 * Makes this process the only agent of its prefix; the answer lets go. The lock is the kernel's, on
 * a file that SQLite locks: it ends with the process, however that ends, so none is ever stale.
 * Errors: HostError `state-busy`, `state-write`.
 */
export function lockAgent(path: string): () => void {
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    if (!/locked/.test(messageOf(cause))) {
      const message = `Cannot lock "${path}": ${messageOf(cause)}`
      throw new HostError('state-write', message, { cause })
    }
    const message = `Cannot start a second agent on "${path}": the first one holds this lock`
    throw new HostError('state-busy', message, { cause, next: 'Stop the running agent first' })
  }
  return () => database.close()
}
