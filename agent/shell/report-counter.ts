import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeDurably } from '../files/durable.ts'

/** One durable write pays for this many numbers; a restart skips what was left of them. */
const RESERVED = 1000
/** A controller may ask for a greater number, never for one that leaves no room to count. */
const COUNTER_MAX = 2 ** 52

/**
 * Numbers that only grow, over restarts and power cuts too. They start at the clock (ms), so that
 * a host whose file is lost goes on above the numbers it used before.
 */
export class ReportCounter {
  readonly #path: string
  #next: number
  #reservedTo = 0

  constructor(stateDirectory: string, nowMs: number) {
    this.#path = join(stateDirectory, 'report.counter')
    this.#next = Math.max(readNumber(this.#path), nowMs) + 1
  }

  /** The next number; its reservation is on disk before it is used. */
  next(): number {
    const number = this.#next
    if (number >= this.#reservedTo) {
      writeDurably(this.#path, `${number + RESERVED}\n`)
      this.#reservedTo = number + RESERVED
    }
    this.#next = number + 1
    return number
  }

  /** Goes on above `seen`, which a controller says it has had from this host. */
  skipTo(seen: unknown): void {
    if (typeof seen !== 'number' || !Number.isSafeInteger(seen) || seen >= COUNTER_MAX) return
    this.#next = Math.max(this.#next, seen + 1)
  }
}

/** 0 when the file is absent or torn: the clock then decides. */
function readNumber(path: string): number {
  try {
    const number = Number(readFileSync(path, 'utf8'))
    return Number.isSafeInteger(number) && number > 0 && number < COUNTER_MAX ? number : 0
  } catch {
    return 0
  }
}
