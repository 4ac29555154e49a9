import type { Seed } from '../codec/documents.ts'
import { codeOf, HoldfastError, HostError, messageOf, RejectedError } from '../codec/errors.ts'
import type { SourceStatus } from '../codec/report.ts'
import type { Candidate } from '../core/state.ts'
import type { PollResult, Source } from '../source/source.ts'
import { provedNow } from '../trust/expiry.ts'
import { type AcceptedRelease, acceptRelease } from './accept-release.ts'
import { Backoff } from './backoff.ts'
import type { Log } from './log.ts'
import type { TrustFiles } from './trust-files.ts'

/** A source that keeps failing is asked again at least this often. */
const PAUSE_MS = { msMin: 5_000, msMax: 300_000 }
/** Chains of 64 roots each: more in one go is no chain that anybody made. */
const GOES_MAX = 16

export type PollOutcome =
  | { kind: 'found'; candidate: Candidate; news: 'newer' | 'same'; handled: () => void }
  | { kind: 'unchanged' }
  | { kind: 'refused'; code: string; message: string }
  /** No source could be read, or all are left alone; their statuses say why. */
  | { kind: 'nothing' }

type Watched = {
  source: Source
  status: SourceStatus
  /** It answered, though perhaps with what was refused. */
  answered: boolean
  backoff: Backoff
  seen?: string
}

export type PollerOptions = {
  seed: Seed
  sources: Source[]
  trust: TrustFiles
  log: Log
  /** Milliseconds since 1970. */
  now: () => number
  random: () => number
}

/**
 * Asks the sources in order until one has news. The word of one that has none is checked with
 * another, each in its turn: so a mirror that stands still, or is made to, hides nothing for long.
 */
export class Poller {
  readonly #options: PollerOptions
  readonly #watched: Watched[]
  #turn = 0

  constructor(options: PollerOptions) {
    this.#options = options
    this.#watched = options.sources.map(source => ({
      source,
      status: { name: source.name, ok: false, checkedAt: new Date(0).toISOString() },
      answered: false,
      backoff: new Backoff(PAUSE_MS, options.random),
    }))
  }

  /** Sources that were asked at least once. */
  get statuses(): SourceStatus[] {
    return this.#watched
      .map(({ status }) => status)
      .filter(({ checkedAt }) => checkedAt > '1970-01-02')
  }

  /** `urgent` asks a source also while it is left alone. */
  async poll(signal: AbortSignal, urgent = false): Promise<PollOutcome> {
    let refusal: PollOutcome | undefined
    let noNews: PollOutcome | undefined
    for (const watched of this.#inTurn()) {
      if (!urgent && watched.backoff.rests(this.#options.now())) continue
      try {
        const outcome = await this.#ask(watched, signal)
        this.#note(watched)
        const isNews = outcome.kind === 'found' && outcome.news === 'newer'
        if (isNews) return outcome
        if (noNews !== undefined) return bothOf(noNews, outcome)
        noNews = outcome
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof HostError) throw error
        this.#note(watched, error)
        if (error instanceof RejectedError) {
          refusal ??= { kind: 'refused', code: error.code, message: error.message }
        }
      }
    }
    return noNews ?? refusal ?? { kind: 'nothing' }
  }

  /** The first one always; in second place each of the others, round by round. */
  #inTurn(): Watched[] {
    const [first, ...others] = this.#watched
    if (first === undefined || others.length === 0) return this.#watched
    const at = this.#turn++ % others.length
    return [first, ...others.slice(at), ...others.slice(0, at)]
  }

  /** For the baseline: which sources the last poll could reach. */
  get reached(): { name: string; ok: boolean }[] {
    return this.#watched.map(({ source: { name }, answered: ok }) => ({ name, ok }))
  }

  /** Whether any of the named sources can be read now, whatever it says. */
  async reachable(names: string[], signal: AbortSignal): Promise<boolean> {
    const asked = this.#watched.filter(({ source }) => names.includes(source.name))
    const answers = asked.map(async watched => {
      await this.#read(watched, signal).catch(error => {
        if (!(error instanceof RejectedError)) throw error
      })
    })
    return await Promise.any(answers).then(
      () => true,
      () => false,
    )
  }

  /** One source to its end: chains longer than one go are taken in several. */
  async #ask(watched: Watched, signal: AbortSignal): Promise<PollOutcome> {
    for (let go = 1; ; go += 1) {
      const result = await this.#read(watched, signal)
      if (result.kind === 'unchanged') return { kind: 'unchanged' }
      const accepted = await this.#accept(result, signal)
      if (accepted === 'again') {
        delete watched.seen
        continue
      }
      if (accepted.moreRoots && go < GOES_MAX) continue
      const handled = () => {
        watched.seen = result.tag
      }
      const { release, target, news } = accepted
      this.#options.log.info({ event: 'release.found', release, system: target.system, news })
      return { kind: 'found', candidate: candidateOf(accepted), news, handled }
    }
  }

  async #read({ source, seen }: Watched, signal: AbortSignal): Promise<PollResult> {
    const { seed, trust } = this.#options
    const rootVersion = trust.rootVersion
    const request = { channel: seed.channel, rootVersion, signal }
    return await source.poll(seen === undefined ? request : { ...request, seen })
  }

  /** Roots and floor are durable before anything is done about the release. */
  async #accept(
    { roots, release }: PollResult & { kind: 'found' },
    signal: AbortSignal,
  ): Promise<AcceptedRelease | 'again'> {
    const { seed, trust, now, log } = this.#options
    const { fleet, channel, host, root: pin } = seed
    const offered = { pin, fleet, channel, host, roots, release, now: now() }
    const input = { ...offered, trusted: trust.chain, floor: trust.floor }
    const verdict = await acceptRelease(input, signal)
    if (verdict.kind === 'damaged') {
      log.warn({ event: 'roots.damaged' })
      trust.dropDamaged(verdict.sound)
      return 'again'
    }
    if (verdict.roots !== undefined) trust.saveChain(verdict.roots)
    if (verdict.kind === 'accepted') {
      trust.saveFloor(verdict.floor)
      return verdict
    }
    const { code, message, next } = verdict
    throw new (verdict.by === 'host' ? HostError : RejectedError)(code, message, { next })
  }

  #note(watched: Watched, error?: unknown): void {
    const { log, now, trust } = this.#options
    const { source } = watched
    const time = now()
    const checkedAt = new Date(provedNow(time, trust.floor)).toISOString()
    watched.answered = error === undefined || error instanceof RejectedError
    if (error === undefined) {
      watched.backoff.succeeded()
      watched.status = { name: source.name, ok: true, checkedAt }
      return
    }
    const [code, message] = [codeOf(error), messageOf(error)]
    watched.status = { name: source.name, ok: false, checkedAt, code, message }
    const refused = error instanceof RejectedError
    const event = refused ? 'release.refused' : 'source.failed'
    log.warn({ event, source: source.name, code, message })
    if (!(error instanceof HoldfastError))
      log.error({ event, source: source.name, stack: stackOf(error) })
    if (refused) return
    const ms = Math.round(watched.backoff.failed(time))
    log.debug({ event: 'poll.backoff', source: source.name, ms })
  }
}

/** Two answers without news: what is found in both is the release that is known already. */
function bothOf(first: PollOutcome, second: PollOutcome): PollOutcome {
  if (first.kind !== 'found') return second
  if (second.kind !== 'found') return first
  const handled = () => {
    first.handled()
    second.handled()
  }
  return { ...first, handled }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined
}

function candidateOf(accepted: AcceptedRelease): Candidate {
  const { release, target, digest, caches, expires } = accepted
  return { release, digest, ...target, caches, expires }
}
