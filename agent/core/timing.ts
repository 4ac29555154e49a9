import type { Effect } from './effect.ts'
import type { Limits, State, StepOf } from './state.ts'

type Probing = StepOf<'Testing'> | StepOf<'Reverting'>

/** Grace on top of the activation's own deadline, which its unit keeps by itself. */
export const GRACE_MS = 15_000

export function wholeActivation(limits: Limits): number {
  return limits.activationMs + GRACE_MS
}

/** A clock that jumped must neither end a deadline early twice nor stretch it. */
export function remaining(whole: number, startedAt: number, at: number): number {
  return Math.min(whole, Math.max(0, whole - (at - startedAt)))
}

/** The state that expects one more round, and the effect that asks for it. */
export function nextRound(state: State, step: Probing, delayMs: number): [State, Effect] {
  const round = state.rounds + 1
  const { id, goal, baseline } = step.attempt
  const system = step.phase === 'Testing' ? goal.system : step.to
  const effect: Effect = { kind: 'probe', attempt: id, round, system, baseline, delayMs }
  return [{ ...state, step, rounds: round }, effect]
}

export function attemptId(release: { epoch: number; version: number } | undefined, n: number) {
  return release === undefined ? `local-${n}` : `${release.epoch}-${release.version}-${n}`
}
