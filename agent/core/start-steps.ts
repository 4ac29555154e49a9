import { probeWithin, recordCommit, watchActivation } from './attempt-steps.ts'
import type { Effect } from './effect.ts'
import type { EventOf, Reality } from './event.ts'
import { effectsOf } from './release-steps.ts'
import { goBack } from './revert-steps.ts'
import { type Decision, drifted, goingBack, reject, settle } from './settle.ts'
import type { State, Step, StepOf } from './state.ts'

/**
 * The agent starts, for the first time, again in the same boot, or in a new boot. Reality is taken
 * over first; then the step that was under way goes on, or is over because the power went.
 */
export function started(before: State, step: Step, event: EventOf<'started'>): Decision {
  const sameBoot = before.bootId === event.reality.bootId
  const state = { ...takeOver(before, event.reality), limits: event.limits }
  switch (step.phase) {
    case 'Idle':
    case 'Reverted':
      return settle(state, event.at)
    case 'Held':
      return [state, []]
    case 'Verified':
    case 'Staged':
    case 'Locked':
      return goOn(state, step, { at: event.at, sameBoot })
    case 'Reverting':
      return sameBoot ? goOnBack(state, step, event.at) : resumeRevert(state, step, event.at)
    default:
      return sameBoot ? resume(state, step, event.at) : interrupted(state, step, event.at)
  }
}

/** Nothing was switched yet; a lock that was held before a boot is asked for again. */
function goOn(
  state: State,
  step: StepOf<'Verified'> | StepOf<'Staged'> | StepOf<'Locked'>,
  { at, sameBoot }: { at: number; sameBoot: boolean },
): [State, Effect[]] {
  if (drifted(state) || (step.phase === 'Locked' && !sameBoot)) return settle(state, at)
  return [state, effectsOf(step)]
}

/** What the profile and /run say replaces what was remembered. */
export function takeOver(before: State, { bootId, running, profile }: Reality): State {
  const { running: _, committed: __, ...state } = before
  return {
    ...state,
    bootId,
    ...(running === undefined ? {} : { running }),
    ...(profile === undefined ? {} : { committed: profile }),
  }
}

/** Same boot: the switch went on without the agent, so its result is looked up, not repeated. */
function resume(
  state: State,
  step: StepOf<'Armed'> | StepOf<'Testing'> | StepOf<'Committed'>,
  at: number,
): [State, Effect[]] {
  const { attempt } = step
  if (step.phase === 'Armed') {
    return [state, [{ kind: 'activate', attempt, deadlineMs: state.limits.activationMs }]]
  }
  const activated = step.phase === 'Committed' || step.activated
  if (activated && state.running !== attempt.goal.system) return interrupted(state, step, at)
  if (step.phase === 'Committed') {
    return [state, [{ kind: 'commit', attempt: attempt.id, system: attempt.goal.system }]]
  }
  if (!step.activated) return [state, watchActivation(state, attempt, at)]
  // While the agent was away nobody probed: the window begins again, but only once.
  const fresh = step.resumed ? {} : ({ probesStartedAt: at, resumed: true } as const)
  const again = { ...step, ...fresh, passes: 0 }
  return probeWithin(state, again, at)
}

/**
 * The system under test runs no more, after a boot or since a person switched by hand: the attempt
 * counts, unless its commit got through.
 */
function interrupted(
  state: State,
  { attempt }: StepOf<'Armed'> | StepOf<'Testing'> | StepOf<'Committed'>,
  at: number,
): [State, Effect[]] {
  const { committed, limits } = state
  const { goal, count } = attempt
  const { system, release } = goal
  if (committed?.system === system) return settle(recordCommit(state, goal, at), at)
  const lastResult = {
    outcome: 'interrupted',
    system,
    ...(release ? { release } : {}),
    at,
  } as const
  const marked = { ...state, lastResult }
  if (count < limits.attemptsMax) return settle(marked, at)
  const message = `Cannot finish the switch to "${system}": ${count} attempts ended in a restart`
  return settle(reject(marked, goal, { code: 'interrupted', message, at }), at)
}

/** The activation of the way back is looked up by its name; probes get their window again, once. */
function goOnBack(state: State, step: StepOf<'Reverting'>, at: number): [State, Effect[]] {
  const renew = step.activated && !step.resumed
  return goingBack(state, renew ? { ...step, startedAt: at, resumed: true } : step, at)
}

/** A boot is a way back by itself, unless it brought up something else. */
function resumeRevert(state: State, step: StepOf<'Reverting'>, at: number): [State, Effect[]] {
  if (state.committed !== undefined || state.running === step.to) return settle(state, at)
  return goBack(state, step.attempt, { ...step.reason, at })
}
