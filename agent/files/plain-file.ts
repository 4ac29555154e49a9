import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { RejectedError } from '../codec/errors.ts'

/**
 * Reads a file that somebody else chose the name of: a link in a system may lead to a pipe, which
 * would never answer, or to a device, which would never end. Errors: RejectedError `not-plain` for
 * these and for more than `bytesMax`; the system's own for what cannot be opened.
 */
export function readPlainFile(path: string, bytesMax: number): Buffer {
  // Without O_NONBLOCK, opening a pipe that nobody writes to waits for ever.
  const handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  try {
    const stat = fstatSync(handle)
    if (!stat.isFile()) throw refused(path, 'it is not a plain file')
    if (stat.size > bytesMax) throw refused(path, `it is over ${bytesMax} bytes`)
    const bytes = Buffer.alloc(stat.size)
    let length = 0
    for (let count = -1; count !== 0 && length < bytes.length; length += count) {
      count = readSync(handle, bytes, length, bytes.length - length, null)
    }
    return bytes.subarray(0, length)
  } finally {
    closeSync(handle)
  }
}

function refused(path: string, is: string): RejectedError {
  return new RejectedError('not-plain', `Cannot read "${path}": ${is}`)
}
