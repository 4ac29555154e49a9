/** A body that arrives more slowly than this, for as long as that, is given up. */
const RATE_WINDOW_MS = 30_000
const RATE_BYTES_PER_SECOND_MIN = 1024
const LOOK_EVERY_MS = 5_000

type Watched = { since: number; bytes: number; paused: boolean; abort: (error: Error) => void }

/** Ends transfers that are alive, but so slow that they would never be done. */
export class RateWatch {
  readonly #watched = new Map<object, Watched>()
  #timer: NodeJS.Timeout | undefined

  start(key: object, abort: (error: Error) => void): void {
    this.#watched.set(key, { since: Date.now(), bytes: 0, paused: false, abort })
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
  }

  count(key: object, bytes: number): void {
    const watched = this.#watched.get(key)
    if (watched !== undefined) watched.bytes += bytes
  }

  /** While we do not read, the sender is not to blame. */
  pause(key: object, paused: boolean): void {
    const watched = this.#watched.get(key)
    if (watched === undefined) return
    watched.paused = paused
    watched.since = Date.now()
    watched.bytes = 0
  }

  stop(key: object): void {
    this.#watched.delete(key)
    if (this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    for (const watched of this.#watched.values()) {
      const ms = Date.now() - watched.since
      if (watched.paused || ms < RATE_WINDOW_MS) continue
      if (watched.bytes < (RATE_BYTES_PER_SECOND_MIN * ms) / 1000) {
        watched.abort(new Error(`fewer than ${RATE_BYTES_PER_SECOND_MIN} bytes a second came`))
      }
      watched.since = Date.now()
      watched.bytes = 0
    }
  }
}
