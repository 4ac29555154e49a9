import type { Effect } from './effect.ts'
import {
  type Attempt,
  type Candidate,
  compareReleases,
  type Failure,
  isRejected,
  REJECTED_MAX,
  type State,
  type StepOf,
} from './state.ts'
import { attemptId, GRACE_MS, nextRound, remaining } from './timing.ts'

/** The next state and what to do; `undefined` is an event that does not belong here. */
export type Decision = [State, Effect[]] | undefined

/**
 * What is to be done next: put right what runs beside the committed system, then take up what the
 * newest release asks for: nothing, since it is met or was refused before, or its staging.
 */
export function settle(state: State, at: number): [State, Effect[]] {
  if (drifted(state)) return restore(state, at)
  const { newest, committed } = state
  if (newest === undefined) return [{ ...state, step: { phase: 'Idle' } }, [{ kind: 'tidy' }]]
  if (isRejected(state, newest.release)) {
    const { code, message } = state.rejected.findLast(
      ({ release }) => compareReleases(release, newest.release) === 0,
    )!
    return [
      { ...state, step: { phase: 'Reverted', reason: { code, message } } },
      [{ kind: 'tidy' }],
    ]
  }
  if (committed?.system === newest.system) {
    return [converge(state, newest, at), [{ kind: 'tidy' }]]
  }
  const { problem: _, ...rest } = state
  const step = { phase: 'Verified', candidate: newest, failures: 0 } as const
  return [{ ...rest, step }, [{ kind: 'stage', candidate: newest }]]
}

/** The system runs and is committed already: the release is met without a switch. */
function converge(state: State, { system, release }: Candidate, at: number): State {
  const { problem: _, ...rest } = state
  const { lastResult } = state
  const known = lastResult?.system === system && lastResult.outcome === 'committed'
  const result = known ? lastResult : ({ outcome: 'converged', system, release, at } as const)
  return { ...rest, step: { phase: 'Idle' }, lastResult: result }
}

/** At rest what runs is what was committed. A boot starts it by itself; a person may change it. */
function restore(state: State, at: number): [State, Effect[]] {
  const { running, sequence } = state
  const { system } = state.committed!
  const attempt: Attempt = {
    id: attemptId(undefined, sequence + 1),
    goal: { key: 'restore', system },
    count: 1,
    from: system,
    baseline: undefined,
    startedBoot: state.bootId,
    startedAt: at,
  }
  const step: StepOf<'Reverting'> = {
    phase: 'Reverting',
    attempt,
    to: system,
    activated: false,
    startedAt: at,
    passes: 0,
    reason: { code: 'drift', message: `Cannot leave "${running ?? 'nothing'}" running` },
  }
  return goingBack({ ...state, sequence: sequence + 1 }, step, at)
}

export function drifted({ committed, running }: State): boolean {
  return committed !== undefined && running !== committed.system
}

/** The way back has a deadline of its own; also after a restart of the agent. */
export function goingBack(state: State, step: StepOf<'Reverting'>, at: number): [State, Effect[]] {
  const { limits } = state
  const { to, startedAt } = step
  const attempt = step.attempt.id
  if (step.activated) {
    const delayMs = remaining(limits.probeWindowMs, startedAt, at)
    const [next, probe] = nextRound(state, step, 0)
    return [next, [{ kind: 'setDeadline', attempt, of: 'fallback', delayMs }, probe]]
  }
  const delayMs = remaining(limits.revertMs + GRACE_MS, startedAt, at)
  return [
    { ...state, step },
    [
      { kind: 'setDeadline', attempt, of: 'revert', delayMs },
      { kind: 'revert', attempt, to, deadlineMs: limits.revertMs },
    ],
  ]
}

/** Remembers a failed release; it is not tried again until a newer one, or a person, says so. */
export function reject(
  state: State,
  goal: { system: string; release?: Candidate['release'] },
  { code, message, at }: Failure,
): State {
  const { release, system } = goal
  if (release === undefined || isRejected(state, release)) return state
  const rejection = { release, system, code, message, at: new Date(at).toISOString() }
  return { ...state, rejected: [...state.rejected, rejection].slice(-REJECTED_MAX) }
}
