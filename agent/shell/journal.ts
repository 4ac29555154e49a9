/**
 * The journal: the state in `<state directory>/state.json`, replaced as a whole before any effect.
 *
 *   file = the state's JSON on one line, LF, SHA-256 of that line in lower-case hex, LF
 *
 * A power cut leaves the old or the new state; the checksum tells apart a file that something else
 * damaged. Beside it lies `reserve`, a file of no meaning: it is given up when the disk is full, so
 * that a host whose disk a bad release has filled can still write down that it goes back.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '../codec/errors.ts'
import type { State } from '../core/state.ts'
import { decodeState, encodeState } from '../core/state-codec.ts'

/** Makes bytes durable under a name, whole or not at all: `writeDurably`. */
export type WriteFile = (path: string, bytes: Buffer) => void

/** Room for the journal and for what a switch writes on the way back: marker, record, links. */
const RESERVE_BYTES = 1 << 20

export type Remembered = { state?: State; damaged: boolean }

export class Journal {
  readonly #path: string
  readonly #reserve: string
  readonly #write: WriteFile

  constructor(directory: string, write: WriteFile) {
    this.#path = join(directory, 'state.json')
    this.#reserve = join(directory, 'reserve')
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
    const bytes = Buffer.concat([line, Buffer.from(`${checksum(line)}\n`)])
    try {
      this.#write(this.#path, bytes)
    } catch (error) {
      if (!isFull(error) || !existsSync(this.#reserve)) throw error
      rmSync(this.#reserve)
      this.#write(this.#path, bytes)
      return
    }
    keepReserve(this.#reserve)
  }
}

function isFull(error: unknown): boolean {
  return isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')
}

/** Random, so that no file system stores it in less. One that is not whole is of no use. */
function keepReserve(path: string): void {
  if (existsSync(path)) return
  try {
    writeFileSync(path, randomBytes(RESERVE_BYTES), { mode: 0o600 })
  } catch {
    rmSync(path, { force: true })
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
