/**
 * The journal: the state in `<state directory>/state.json`, replaced as a whole before any effect.
 *
 *   file = the state's JSON on one line, LF, SHA-256 of that line in lower-case hex, LF
 *
 * A power cut leaves the old or the new state; the checksum tells apart a file that something else
 * damaged.
 */
import { createHash } from 'node:crypto'
import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '../codec/errors.ts'
import type { State } from '../core/state.ts'
import { decodeState, encodeState } from '../core/state-codec.ts'

/** Makes bytes durable under a name, whole or not at all: `writeDurably`. */
export type WriteFile = (path: string, bytes: Buffer) => void

export type Remembered = { state?: State; damaged: boolean }

export class Journal {
  readonly #path: string
  readonly #write: WriteFile

  constructor(directory: string, write: WriteFile) {
    this.#path = join(directory, 'state.json')
    this.#write = write
  }

  /** A damaged journal is kept beside for people to look at; reality then has to do. */
  read(): Remembered {
    let bytes: Buffer
    try {
      bytes = readFileSync(this.#path)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return { damaged: false }
      throw error
    }
    const state = decode(bytes)
    if (state !== undefined) return { state, damaged: false }
    setAside(this.#path)
    return { damaged: true }
  }

  write(state: State): void {
    const line = encodeState(state)
    this.#write(this.#path, Buffer.concat([line, Buffer.from(`${checksum(line)}\n`)]))
  }
}

/** Beside, not away: on a disk that takes no writes the journal stays where it is. */
function setAside(path: string): void {
  try {
    renameSync(path, `${path}.damaged`)
  } catch (error) {
    if (!isErrno(error, 'EROFS')) throw error
  }
}

function decode(bytes: Buffer): State | undefined {
  const end = bytes.indexOf(0x0a) + 1
  const line = bytes.subarray(0, end)
  if (end === 0 || bytes.subarray(end).toString('latin1') !== `${checksum(line)}\n`)
    return undefined
  try {
    return decodeState(line)
  } catch {
    return undefined // Whole, but of another version: as good as none.
  }
}

function checksum(line: Buffer): string {
  return createHash('sha256').update(line).digest('hex')
}
