import { setTimeout as sleep } from 'node:timers/promises'
import { type HoldfastError, HostError, messageOf, TransientError } from '../codec/errors.ts'
import type { WireError } from './worker-protocol.ts'

/** Rounds through all mirrors before a path is given up for now. */
const ROUNDS_MAX = 4
const PAUSE_MS = 1_000
/** A longer pause is the next poll's, not ours to sit out. */
const PAUSE_MS_MAX = 60_000

type Mirror = { url: string; faults: number; restUntil: number }

/** The caches of a release, best first: as listed, and after each fault behind those with fewer. */
export class Mirrors {
  readonly #mirrors: Mirror[]

  constructor(urls: string[]) {
    this.#mirrors = urls.map(url => ({ url, faults: 0, restUntil: 0 }))
  }

  get best(): string | undefined {
    return this.#ordered()[0]?.url
  }

  /**
   * Tries `action` with one mirror after the other, and all of them again after a pause while one
   * might still do better. Whatever a mirror serves, it is the mirror that is wrong and not the
   * release, so the error at last is a TransientError with the code of the last one.
   */
  async first<T>(
    what: string,
    signal: AbortSignal,
    action: (url: string) => Promise<T>,
  ): Promise<T> {
    let last: unknown
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      let worthwhile = false
      for (const mirror of this.#ordered()) {
        try {
          return await action(mirror.url)
        } catch (error) {
          signal.throwIfAborted()
          if (!isMirrorFault(error)) throw error
          last = error
          worthwhile = this.#demote(mirror, error) || worthwhile
        }
      }
      const pause = this.#pause(round)
      if (!worthwhile || round === ROUNDS_MAX || pause > PAUSE_MS_MAX) break
      await sleep(pause, undefined, { signal })
    }
    const code = (last as HoldfastError | undefined)?.code ?? 'not-found'
    const why = last === undefined ? 'the release names no cache' : messageOf(last)
    throw new TransientError(code, `Cannot fetch "${what}" from any cache: ${why}`, { cause: last })
  }

  #ordered(): Mirror[] {
    return this.#mirrors.toSorted((a, b) => a.faults - b.faults)
  }

  /** Whether the same request may succeed there later; wrong or absent bytes stay as they are. */
  #demote(mirror: Mirror, error: HoldfastError): boolean {
    mirror.faults++
    const { retryAfterMs } = (error.cause ?? {}) as Partial<WireError>
    mirror.restUntil = Date.now() + (retryAfterMs ?? 0)
    return error.code === 'unreachable'
  }

  /** Doubles from round to round, with jitter, and is not shorter than what every mirror wishes. */
  #pause(round: number): number {
    const wished = Math.min(...this.#mirrors.map(mirror => mirror.restUntil)) - Date.now()
    return Math.max(wished, PAUSE_MS * 2 ** (round - 1) * (0.5 + Math.random()))
  }
}

function isMirrorFault(error: unknown): error is HoldfastError {
  const { kind } = error as Partial<HoldfastError>
  return (kind === 'transient' || kind === 'rejected') && !(error instanceof HostError)
}
