import type { Effect } from '../core/effect.ts'
import type { Said } from './effects.ts'

/** A retry comes up to this share later than asked, so that a fleet does not come at once. */
const JITTER_SHARE = 0.3

/** The delays that the core asks for. A step has one deadline and one retry; the newest counts. */
export class Timers {
  readonly #tell: (said: Said) => void
  readonly #random: () => number
  readonly #running = new Map<'deadline' | 'retry', NodeJS.Timeout>()

  constructor(tell: (said: Said) => void, random: () => number) {
    this.#tell = tell
    this.#random = random
  }

  deadline({ attempt, of, delayMs }: Extract<Effect, { kind: 'setDeadline' }>): void {
    this.#set('deadline', delayMs, { kind: 'deadline', attempt, of })
  }

  retry({ key, delayMs }: Extract<Effect, { kind: 'scheduleRetry' }>): void {
    const jittered = delayMs * (1 + this.#random() * JITTER_SHARE)
    this.#set('retry', jittered, { kind: 'retry', key })
  }

  clear(): void {
    for (const timer of this.#running.values()) clearTimeout(timer)
    this.#running.clear()
  }

  #set(name: 'deadline' | 'retry', ms: number, said: Said): void {
    clearTimeout(this.#running.get(name))
    this.#running.set(
      name,
      setTimeout(() => this.#tell(said), ms),
    )
  }
}
