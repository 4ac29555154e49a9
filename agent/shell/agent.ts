import { setTimeout as sleep } from 'node:timers/promises'
import { HostError } from '../codec/errors.ts'
import type { Status } from '../codec/report.ts'
import { decide } from '../core/decide.ts'
import type { Effect } from '../core/effect.ts'
import type { Event } from '../core/event.ts'
import { atRest, initialState, type Problem, type State } from '../core/state.ts'
import { statusOf } from '../core/status.ts'
import { provedNow } from '../trust/expiry.ts'
import { Backoff } from './backoff.ts'
import { performers, type Said, type WorldEffect } from './effects.ts'
import type { Parts } from './parts.ts'
import { readReality } from './reality.ts'
import { limitsOf } from './settings.ts'
import { Timers } from './timers.ts'
import { agentVersion } from './version.ts'

/** Called after an effect was made and before its answer is taken: where tests cut the power. */
export type Hooks = { afterEffect?: (effect: Effect) => void }

/** How often a journal that cannot be written is tried again. */
const UNWRITABLE_MS = { msMin: 500, msMax: 30_000 }

type Told = { said: Said; done: (taken: boolean) => void }

/**
 * The loop around `decide`: one event at a time; the new state is durable before any effect of it
 * is made; what an effect answers is the next event.
 */
export class Agent {
  readonly parts: Parts
  readonly #hooks: Hooks
  readonly #timers: Timers
  readonly #stop = new AbortController()
  readonly #unwritable: Backoff
  #state: State = initialState()
  #queue: Told[] = []
  #draining: Promise<void> | undefined
  #work = new Set<Promise<void>>()
  #staging: Promise<void> = Promise.resolve()
  /** Aborted when the step that asked for the work is over. */
  #stepScope = new AbortController()
  #trouble: Problem | undefined
  #polling: Promise<void> | undefined
  /** Resolved at the next moment of rest. */
  #resting: (() => void)[] = []

  constructor(parts: Parts, hooks: Hooks = {}) {
    this.parts = parts
    this.#hooks = hooks
    this.#timers = new Timers(said => void this.tell(said), parts.random)
    this.#unwritable = new Backoff(UNWRITABLE_MS, parts.random)
  }

  /** Takes up what the journal says and what is real; resolves when that was decided. */
  async start(): Promise<void> {
    const { journal, log, places, config, trust } = this.parts
    const { state, damaged } = journal.read()
    if (damaged) log.error({ event: 'journal.damaged' })
    // Names of attempts never come back, not even when their count was lost.
    this.#state = state ?? initialState(Math.floor(this.parts.now() / 1000))
    if (trust.rebuilt) log.warn({ event: 'floor.rebuilt' })
    const reality = readReality(places.prefix)
    const { phase } = this.#state.step
    const { bootId } = reality
    log.info({ event: 'agent.started', version: agentVersion(), bootId, phase })
    await this.tell({ kind: 'started', reality, limits: limitsOf(config) })
  }

  get state(): State {
    return this.#state
  }

  status(): Status {
    const { seed, poller } = this.parts
    const { fleet, host, channel } = seed
    return statusOf(this.#state, {
      ...{ fleet, host, channel, sources: poller.statuses },
      ...{ agentVersion: agentVersion(), now: this.#now() },
      ...(this.#trouble === undefined ? {} : { trouble: this.#trouble }),
    })
  }

  /** Queues what happened; answers whether it was durable and taken. */
  async tell(said: Said): Promise<boolean> {
    if (this.#stop.signal.aborted) return false
    const taken = new Promise<boolean>(done => this.#queue.push({ said, done }))
    this.#draining ??= this.#drain()
    return await taken
  }

  /** One round through the sources; rounds never overlap. */
  async poll(urgent = false): Promise<void> {
    await this.polled()
    this.#polling = this.#pollOnce(urgent).finally(() => {
      this.#polling = undefined
    })
    await this.#polling
  }

  /** Resolves when no round through the sources is under way. */
  async polled(): Promise<void> {
    while (this.#polling !== undefined) await this.#polling
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (!atRest(this.#state) && !this.#stop.signal.aborted) {
      await new Promise<void>(resolve => this.#resting.push(resolve))
    }
  }

  /** Work under way is given up; activations go on in units of their own. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#stepScope.abort()
    this.#timers.clear()
    this.#rested()
    await this.#draining
    await Promise.allSettled([...this.#work, this.#polling])
    this.parts.log.info({ event: 'agent.stopped' })
    await this.parts.close()
  }

  async #pollOnce(urgent: boolean): Promise<void> {
    const { poller, log } = this.parts
    try {
      const outcome = await poller.poll(this.#stop.signal, urgent)
      if (outcome.kind === 'found') {
        const { candidate, handled } = outcome
        if (await this.tell({ kind: 'found', candidate })) handled()
      } else if (outcome.kind !== 'nothing') {
        await this.tell(outcome)
      }
      this.#report()
    } catch (error) {
      if (this.#stop.signal.aborted) return
      if (!(error instanceof HostError)) throw error
      const { code, message } = error
      log.error({ event: 'state.unwritable', code, message })
      this.#setTrouble({ code, message })
    }
  }

  async #drain(): Promise<void> {
    for (let told = this.#queue.shift(); told !== undefined; told = this.#queue.shift()) {
      told.done(await this.#take(told.said))
    }
    this.#draining = undefined
  }

  async #take(said: Said): Promise<boolean> {
    const before = this.#state
    const event = { ...said, at: this.#now() } as Event
    const [state, effects] = decide(before, event)
    if (state !== before && !(await this.#persist(state, said))) return false
    this.#state = state
    this.#logStep(before, event, effects)
    if (scopeOf(state) !== scopeOf(before)) {
      this.#stepScope.abort()
      this.#stepScope = new AbortController()
      this.#timers.clear()
    }
    if (state !== before) this.#report()
    for (const effect of effects) this.#perform(effect)
    if (atRest(state)) this.#rested()
    return true
  }

  /**
   * Nothing is done about a state that is not durable. Polls come back by themselves; anything else
   * waits here until the disk takes it.
   */
  async #persist(state: State, { kind }: Said): Promise<boolean> {
    const { journal, log, now } = this.parts
    for (;;) {
      try {
        journal.write(state)
        if (this.#trouble !== undefined) this.#setTrouble(undefined)
        this.#unwritable.succeeded()
        return true
      } catch (error) {
        if (!(error instanceof HostError)) throw error
        const { code, message } = error
        log.error({ event: 'state.unwritable', code, message })
        this.#setTrouble({ code, message })
        if (kind === 'found' || kind === 'refused' || kind === 'unchanged') return false
        await sleep(this.#unwritable.failed(now()), undefined, { signal: this.#stop.signal }).catch(
          () => {},
        )
        if (this.#stop.signal.aborted) return false
      }
    }
  }

  #perform(effect: Effect): void {
    if (effect.kind === 'setDeadline') this.#timers.deadline(effect)
    else if (effect.kind === 'scheduleRetry') this.#timers.retry(effect)
    else if (effect.kind === 'poll') this.#track(this.poll(true))
    else if (effect.kind === 'stage') this.#track(this.#performStage(effect))
    else this.#track(this.#performInWorld(effect))
  }

  /** Two fetches would share one staging directory: a broken-off one ends first. */
  #performStage(effect: Extract<Effect, { kind: 'stage' }>): Promise<void> {
    const { signal } = this.#stepScope
    this.#staging = this.#staging.then(async () => {
      if (!signal.aborted) await this.#performInWorld(effect)
    })
    return this.#staging
  }

  #track(work: Promise<void>): void {
    this.#work.add(work)
    void work.finally(() => this.#work.delete(work))
  }

  async #performInWorld(effect: Extract<Effect, { kind: WorldEffect }>): Promise<void> {
    const { signal } = this.#stepScope
    const perform = performers[effect.kind] as (
      ...words: [Effect, Parts, AbortSignal]
    ) => Promise<Said | undefined>
    const startedAt = performance.now()
    let said: Said | undefined
    try {
      said = await perform(effect, this.parts, signal)
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    this.#hooks.afterEffect?.(effect)
    const ms = Math.round(performance.now() - startedAt)
    this.parts.log.info({ event: 'effect.done', effect: effect.kind, ms, ...answerOf(said) })
    if (said !== undefined && !signal.aborted) void this.tell(said)
  }

  #logStep(before: State, event: Event, effects: Effect[]): void {
    const { log } = this.parts
    const wanted = effects.map(({ kind }) => kind)
    log.debug({ event: 'event.decided', told: event, effects: wanted })
    const [from, to] = [before.step.phase, this.#state.step.phase]
    if (from === to) return
    const release = this.#state.newest?.release
    const reason = 'reason' in this.#state.step ? this.#state.step.reason : {}
    log.info({ event: 'phase.changed', from, to, ...(release ? { release } : {}), ...reason })
  }

  #setTrouble(trouble: Problem | undefined): void {
    this.#trouble = trouble
    this.#report()
  }

  #report(): void {
    this.parts.reporter.report(this.status())
  }

  #rested(): void {
    for (const resolve of this.#resting.splice(0)) resolve()
  }

  #now(): number {
    return provedNow(this.parts.now(), this.parts.trust.floor)
  }
}

/** What the work of a step belongs to: when it changes, that work is over. */
function scopeOf({ step }: State): string {
  if ('candidate' in step) return `${step.phase} ${step.candidate.digest}`
  if ('goal' in step) return `${step.phase} ${step.goal.key}`
  return 'attempt' in step ? `${step.phase} ${step.attempt.id}` : step.phase
}

/** What an answer says beside its name, for the log. */
function answerOf(said: Said | undefined): Record<string, unknown> {
  if (said === undefined) return {}
  const { kind: answer, ...rest } = said
  if ('baseline' in rest || 'profile' in rest) return { answer }
  return { answer, ...rest }
}
