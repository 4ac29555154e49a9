import type { Effect } from './effect.ts'
import type { EventOf } from './event.ts'
import { revert } from './revert-steps.ts'
import { type Decision, settle } from './settle.ts'
import type { Attempt, Goal, State, StepOf } from './state.ts'
import { attemptId, nextRound, remaining, wholeActivation } from './timing.ts'

/** Baseline in hand: the journal record of the attempt comes before the switch itself. */
export function measured(
  state: State,
  { goal }: StepOf<'Locked'>,
  event: EventOf<'measured'>,
): Decision {
  if (event.key !== goal.key) return undefined
  if (goal.expires !== undefined && event.at > goal.expires) {
    const problem = { code: 'expired', message: 'Cannot install the release: it has expired' }
    return [{ ...state, step: { phase: 'Idle' }, problem }, [{ kind: 'tidy' }]]
  }
  const from = state.committed?.system ?? state.running
  const sequence = state.sequence + 1
  const count = state.tries?.key === goal.key ? state.tries.count + 1 : 1
  const attempt: Attempt = {
    id: attemptId(goal.release, sequence),
    goal,
    count,
    ...(from === undefined ? {} : { from }),
    baseline: event.baseline,
    startedBoot: state.bootId,
    startedAt: event.at,
  }
  const tries = { key: goal.key, count }
  const { problem: _, ...rest } = state
  return [
    { ...rest, sequence, tries, step: { phase: 'Armed', attempt } },
    [{ kind: 'activate', attempt, deadlineMs: state.limits.activationMs }],
  ]
}

export function activating(
  state: State,
  { attempt }: StepOf<'Armed'>,
  event: EventOf<'activating'>,
): Decision {
  if (event.attempt !== attempt.id) return undefined
  return [
    { ...state, step: { phase: 'Testing', attempt, activated: false, passes: 0 } },
    watchActivation(state, attempt, event.at),
  ]
}

/** Also after a restart of the agent: what is left of the deadline, never more than the whole. */
export function watchActivation({ limits }: State, attempt: Attempt, at: number): Effect[] {
  const delayMs = remaining(wholeActivation(limits), attempt.startedAt, at)
  return [
    { kind: 'setDeadline', attempt: attempt.id, of: 'activation', delayMs },
    { kind: 'awaitActivation', attempt: attempt.id },
  ]
}

export function activationDone(
  state: State,
  step: StepOf<'Testing'>,
  event: EventOf<'activationDone'>,
): Decision {
  const { attempt } = step
  if (event.attempt !== attempt.id || step.activated) return undefined
  if (event.exitCode !== 0) {
    const tail = event.output.trim().split('\n').at(-1) ?? ''
    const how = `exit code ${event.exitCode}${tail && `: ${tail}`}`
    const message = `Cannot activate "${attempt.goal.system}": ${how}`
    return revert(state, attempt, { code: 'activation', message, at: event.at })
  }
  const next = { ...step, activated: true, probesStartedAt: event.at } as const
  return probeWithin({ ...state, running: attempt.goal.system }, next, event.at)
}

/** Probes of the system under test, and the end of their window. */
export function probeWithin(state: State, step: StepOf<'Testing'>, at: number): [State, Effect[]] {
  const { attempt, probesStartedAt = at } = step
  const delayMs = remaining(state.limits.probeWindowMs, probesStartedAt, at)
  const [next, probe] = nextRound(state, step, 0)
  return [next, [{ kind: 'setDeadline', attempt: attempt.id, of: 'probes', delayMs }, probe]]
}

export function activationLost(
  state: State,
  step: StepOf<'Testing'> | StepOf<'Armed'>,
  event: EventOf<'activationLost'>,
): Decision {
  if (event.attempt !== step.attempt.id) return undefined
  if (step.phase === 'Testing' && step.activated) return undefined
  const { message, at } = event
  return revert(state, step.attempt, { code: 'activation', message, at })
}

/** Several passes in a row make it healthy; a failed round starts the count again. */
export function probed(state: State, step: StepOf<'Testing'>, event: EventOf<'probed'>): Decision {
  const { attempt } = step
  if (event.attempt !== attempt.id || event.round !== state.rounds) return undefined
  const passes = event.healthy ? step.passes + 1 : 0
  if (passes >= state.limits.passes) {
    const effect: Effect = { kind: 'commit', attempt: attempt.id, system: attempt.goal.system }
    return [{ ...state, step: { phase: 'Committed', attempt } }, [effect]]
  }
  const failure = event.healthy ? step.failure : (event.failures[0] ?? step.failure)
  const next = { ...step, passes, ...(failure ? { failure } : {}) }
  const [waiting, probe] = nextRound(state, next, state.limits.probeIntervalMs)
  return [waiting, [probe]]
}

export function testDeadline(
  state: State,
  step: StepOf<'Testing'>,
  event: EventOf<'deadline'>,
): Decision {
  const { attempt, activated } = step
  if (event.attempt !== attempt.id || event.of !== (activated ? 'probes' : 'activation')) {
    return undefined
  }
  const what = activated ? 'it did not prove healthy in time' : 'the activation took too long'
  const cause = step.failure === undefined ? '' : `: ${step.failure.message}`
  const message = `Cannot keep "${attempt.goal.system}": ${what}${cause}`
  const code = activated ? 'unhealthy' : 'activation'
  return revert(state, attempt, { code, message, at: event.at })
}

/** The profile is moved: the attempt is over, and a release found meanwhile gets its turn. */
export function committed(
  state: State,
  { attempt }: StepOf<'Committed'>,
  event: EventOf<'committed'>,
): Decision {
  if (event.attempt !== attempt.id) return undefined
  const { system } = attempt.goal
  const profile = { system, generation: event.generation }
  const moved = { ...state, committed: profile, running: system }
  return settle(recordCommit(moved, attempt.goal, event.at), event.at)
}

export function recordCommit(state: State, { system, release }: Goal, at: number): State {
  const { tries: _, ...rest } = state
  const result = { outcome: 'committed', system, ...(release ? { release } : {}), at } as const
  return { ...rest, lastResult: result }
}

export function commitFailed(
  state: State,
  { attempt }: StepOf<'Committed'>,
  event: EventOf<'commitFailed'>,
): Decision {
  if (event.attempt !== attempt.id) return undefined
  const { code, message, at } = event
  return revert(state, attempt, { code, message, at })
}
