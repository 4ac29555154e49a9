import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SignedDocument } from '../codec/documents.ts'
import { isErrno } from '../codec/errors.ts'
import { chooseFloor, encodeFloor, type Floor } from '../codec/floor.ts'
import type { WriteFile } from './journal.ts'

/** More roots than any fleet makes; keeps a damaged directory from being read for ever. */
const ROOTS_MAX = 100_000

/**
 * What this host has come to trust, in the state directory: `roots/<version>.json` with `.sig`, the
 * floor in two slots, and a third copy of it from the newest commit.
 */
export class TrustFiles {
  readonly #directory: string
  readonly #write: WriteFile
  readonly #pinned: number
  #chain: SignedDocument[]
  #floor: Floor | undefined
  #slot: 0 | 1
  /** A slot was damaged, and another copy took its place. */
  readonly rebuilt: boolean

  /** Errors: HostError `floor` when no copy of the floor is whole. */
  constructor(directory: string, pinned: number, write: WriteFile) {
    this.#directory = directory
    this.#pinned = pinned
    this.#write = write
    this.#chain = [...this.#readChain()]
    const slots = [read(this.#slotPath(0)), read(this.#slotPath(1))] as const
    const copy = read(this.#copyPath())
    const chosen = chooseFloor(slots, copy === undefined ? [] : [copy])
    this.#floor = chosen.floor
    this.#slot = chosen.write
    this.rebuilt = chosen.torn.length > 0
  }

  /** Forgets all but the first `sound` roots of the chain, so that the others are read anew. */
  dropDamaged(sound: number): void {
    this.#chain = this.#chain.slice(0, sound)
  }

  /** From the pinned version on. */
  get chain(): SignedDocument[] {
    return this.#chain
  }

  get floor(): Floor | undefined {
    return this.#floor
  }

  /** The newest root that is trusted; newer ones are asked for. */
  get rootVersion(): number {
    return this.#pinned + this.#chain.length - 1
  }

  /** Signatures first: a root without them is not taken for one when the power went between. */
  saveChain(chain: SignedDocument[]): void {
    mkdirSync(join(this.#directory, 'roots'), { recursive: true, mode: 0o700 })
    for (const [index, { bytes, signatures }] of chain.entries()) {
      if (this.#chain[index]?.bytes.equals(bytes)) continue
      const path = this.#rootPath(this.#pinned + index)
      this.#write(`${path}.sig`, signatures)
      this.#write(path, bytes)
    }
    this.#chain = chain
  }

  saveFloor(floor: Floor): void {
    const bytes = encodeFloor(floor)
    if (this.#floor !== undefined && encodeFloor(this.#floor).equals(bytes)) return
    this.#write(this.#slotPath(this.#slot), bytes)
    this.#floor = floor
    this.#slot = this.#slot === 0 ? 1 : 0
  }

  /** The copy that a commit leaves, for the day when both slots are damaged. */
  copyFloor(): void {
    if (this.#floor !== undefined) this.#write(this.#copyPath(), encodeFloor(this.#floor))
  }

  *#readChain(): Generator<SignedDocument> {
    for (let version = this.#pinned; version < this.#pinned + ROOTS_MAX; version += 1) {
      const bytes = read(this.#rootPath(version))
      const signatures = read(`${this.#rootPath(version)}.sig`)
      if (bytes === undefined || signatures === undefined) return
      yield { bytes, signatures }
    }
  }

  #rootPath(version: number): string {
    return join(this.#directory, 'roots', `${version}.json`)
  }

  #slotPath(slot: 0 | 1): string {
    return join(this.#directory, `floor.${slot}`)
  }

  #copyPath(): string {
    return join(this.#directory, 'floor.committed')
  }
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
