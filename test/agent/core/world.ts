import { decide } from '../../../agent/core/decide.ts'
import type { Effect } from '../../../agent/core/effect.ts'
import type { Event, Reality } from '../../../agent/core/event.ts'
import {
  type Candidate,
  DEFAULT_LIMITS,
  initialState,
  type State,
} from '../../../agent/core/state.ts'

export const START_MS = Date.UTC(2026, 0, 1)

/** `Omit` that keeps the union apart. */
type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never
export type Said = Without<Event, 'at'>

/** Release `version` that wants the system `name`. */
export function release(version: number, name = `s${version}`): Candidate {
  const digest = `digest-${version}`
  const system = path(name)
  const expires = START_MS + 30 * 86_400_000
  const id = { epoch: 1, version }
  return { release: id, digest, system, closure: 'c', closureSize: 1, caches: [], expires }
}

export function path(name: string): string {
  return `/nix/store/${'0'.repeat(32)}-${name}`
}

export function nameOf(system: string | undefined): string {
  return system?.split('-').at(-1) ?? '-'
}

/** Feeds events one by one and keeps the trace of effects; nothing is performed. */
export class Teller {
  state: State
  effects: Effect[] = []
  #now = START_MS

  constructor(state: State = initialState()) {
    this.state = state
  }

  tell(said: Said): Effect[] {
    this.#now += 1
    const [state, effects] = decide(this.state, { ...said, at: this.#now } as Event)
    this.state = state
    this.effects.push(...effects)
    return effects
  }

  skip(ms: number): void {
    this.#now += ms
  }

  get attempt(): string {
    const { step } = this.state
    return 'attempt' in step ? step.attempt.id : 'none'
  }

  trace(): string {
    return this.effects.map(describe).filter(Boolean).join(' ')
  }
}

export function describe(effect: Effect): string {
  switch (effect.kind) {
    case 'stage':
      return `stage:${nameOf(effect.candidate.system)}`
    case 'activate':
      return `activate:${nameOf(effect.attempt.goal.system)}`
    case 'commit':
      return `commit:${nameOf(effect.system)}`
    case 'revert':
      return `revert:${nameOf(effect.to)}`
    case 'awaitActivation':
      return 'await'
    case 'scheduleRetry':
      return `retry:${effect.delayMs}`
    case 'setDeadline':
    case 'probe':
      return ''
    default:
      return effect.kind
  }
}

export function outcome({ step, committed, running, rejected }: State): string {
  const versions = rejected.map(({ release: { version } }) => `r${version}`)
  const refused = versions.length > 0 ? `, rejected ${versions.join(' ')}` : ''
  return `${step.phase} ${nameOf(committed?.system)}/${nameOf(running)}${refused}`
}

export const limits = { ...DEFAULT_LIMITS, passes: 2 }

/** A host that committed `name` as generation 1 and runs it. */
export function reality(name = 's0', bootId = 'boot-1', running = name): Reality {
  return { bootId, running: path(running), profile: { system: path(name), generation: 1 } }
}
