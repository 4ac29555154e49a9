import type { Effect } from './effect.ts'
import type { EventOf } from './event.ts'
import { type Decision, reject, settle } from './settle.ts'
import { compareReleases, type Goal, type State, type Step, type StepOf } from './state.ts'

/** While nothing was switched, a newer release takes the place of the one under way. */
export function found(state: State, _: Step, event: EventOf<'found'>): Decision {
  const { candidate, at } = event
  const { newest } = state
  const order = newest ? compareReleases(candidate.release, newest.release) : 1
  if (order > 0) return settle({ ...state, newest: candidate }, at)
  const dropped = state.step.phase === 'Idle' && newest?.system !== state.committed?.system
  return dropped && order === 0 && candidate.digest === newest!.digest
    ? settle(state, at)
    : undefined
}

/** From the journal record on an attempt is finished first; the newer release waits its turn. */
export function foundMeanwhile(state: State, _: Step, event: EventOf<'found'>): Decision {
  const { candidate } = event
  const newer = !state.newest || compareReleases(candidate.release, state.newest.release) > 0
  return newer ? [{ ...state, newest: candidate }, []] : undefined
}

export function refused(state: State, _: Step, { code, message }: EventOf<'refused'>): Decision {
  return [{ ...state, problem: { code, message } }, []]
}

export function unchanged(state: State): Decision {
  if (state.problem === undefined) return undefined
  const { problem: _, ...rest } = state
  return [rest, []]
}

export function staged(
  state: State,
  { candidate }: StepOf<'Verified'>,
  event: EventOf<'staged'>,
): Decision {
  if (event.key !== candidate.digest) return undefined
  const { problem: _, ...rest } = state
  return [
    { ...rest, step: { phase: 'Staged', candidate, failures: 0 } },
    [{ kind: 'lock', key: candidate.digest }],
  ]
}

export function stageFailed(
  state: State,
  { candidate, failures }: StepOf<'Verified'>,
  event: EventOf<'stageFailed'>,
): Decision {
  if (event.key !== candidate.digest) return undefined
  const { code, message, at } = event
  const problem = { code, message }
  if (event.cause === 'rejected') return settle(reject(state, candidate, { ...problem, at }), at)
  return [
    { ...state, problem, step: { phase: 'Verified', candidate, failures: failures + 1 } },
    [{ kind: 'scheduleRetry', key: candidate.digest, delayMs: backoff(state, failures) }],
  ]
}

/** The wait is over: the effect of the step once more. */
export function retry(
  state: State,
  step: StepOf<'Verified'> | StepOf<'Staged'> | StepOf<'Locked'>,
  event: EventOf<'retry'>,
): Decision {
  const key = step.phase === 'Locked' ? step.goal.key : step.candidate.digest
  return event.key === key && step.failures > 0 ? [state, effectsOf(step)] : undefined
}

/** What a step before the switch waits for; also after a restart of the agent. */
export function effectsOf(
  step: StepOf<'Verified'> | StepOf<'Staged'> | StepOf<'Locked'>,
): Effect[] {
  if (step.phase === 'Verified') return [{ kind: 'stage', candidate: step.candidate }]
  if (step.phase === 'Staged') return [{ kind: 'lock', key: step.candidate.digest }]
  return [{ kind: 'measure', goal: step.goal }]
}

export function locked(
  state: State,
  { candidate }: StepOf<'Staged'>,
  event: EventOf<'locked'>,
): Decision {
  if (event.key !== candidate.digest) return undefined
  const { digest, system, release, expires } = candidate
  const goal: Goal = { key: digest, system, release, expires }
  return [{ ...state, step: { phase: 'Locked', goal, failures: 0 } }, [{ kind: 'measure', goal }]]
}

/** The lock is not ours yet, or the host cannot be measured: nothing was switched, so wait. */
export function delayed(
  state: State,
  step: StepOf<'Staged'> | StepOf<'Locked'>,
  event: EventOf<'delayed'>,
): Decision {
  const key = step.phase === 'Staged' ? step.candidate.digest : step.goal.key
  if (event.key !== key) return undefined
  const problem = { code: event.code, message: event.message }
  return [
    { ...state, problem, step: { ...step, failures: step.failures + 1 } },
    [{ kind: 'scheduleRetry', key, delayMs: backoff(state, step.failures) }],
  ]
}

function backoff({ limits }: State, failures: number): number {
  return Math.min(limits.retryMsMax, limits.retryMsMin * 2 ** Math.min(failures, 30))
}
