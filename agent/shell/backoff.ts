/** Failures in a row double the pause, up to a limit; half of it is at random. */
export class Backoff {
  readonly #msMin: number
  readonly #msMax: number
  readonly #random: () => number
  #failures = 0
  #until = 0

  constructor(limits: { msMin: number; msMax: number }, random: () => number) {
    this.#msMin = limits.msMin
    this.#msMax = limits.msMax
    this.#random = random
  }

  /** Answers the pause. */
  failed(now: number): number {
    const whole = Math.min(this.#msMax, this.#msMin * 2 ** Math.min(this.#failures, 30))
    this.#failures += 1
    const ms = whole * (0.5 + this.#random() / 2)
    this.#until = now + ms
    return ms
  }

  succeeded(): void {
    this.#failures = 0
    this.#until = 0
  }

  rests(now: number): boolean {
    return now < this.#until
  }
}
