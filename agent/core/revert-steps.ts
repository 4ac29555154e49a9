import type { Effect } from './effect.ts'
import type { EventOf } from './event.ts'
import { type Decision, goingBack, reject, settle } from './settle.ts'
import type { Attempt, Failure, State, StepOf } from './state.ts'
import { nextRound } from './timing.ts'

/** Any failure: the release is remembered first, then the recorded path is activated again. */
export function revert(state: State, attempt: Attempt, failure: Failure): [State, Effect[]] {
  return goBack(reject(state, attempt.goal, failure), attempt, failure)
}

export function goBack(
  state: State,
  attempt: Attempt,
  { at, ...reason }: Failure,
): [State, Effect[]] {
  const { system, release } = attempt.goal
  const lastResult = { outcome: 'reverted', system, code: reason.code, at } as const
  const marked: State = { ...state, lastResult: { ...lastResult, ...(release ? { release } : {}) } }
  const to = attempt.from
  if (to === undefined) {
    return [{ ...marked, step: { phase: 'Reverted', reason } }, [{ kind: 'tidy' }]]
  }
  const step: StepOf<'Reverting'> = {
    phase: 'Reverting',
    attempt,
    to,
    activated: false,
    startedAt: at,
    passes: 0,
    reason,
  }
  return goingBack(marked, step, at)
}

/** The old system is activated again; now it has to be as healthy as it was before. */
export function reverted(
  state: State,
  step: StepOf<'Reverting'>,
  event: EventOf<'reverted'>,
): Decision {
  if (event.attempt !== step.attempt.id || step.activated) return undefined
  if (!event.ok) return hold(state, step, { code: 'revert', message: event.message, at: event.at })
  const { profile } = event
  const back = { ...state, running: step.to, ...(profile ? { committed: profile } : {}) }
  if (step.attempt.baseline === undefined) return settle(back, event.at)
  const next = { ...step, activated: true, startedAt: event.at } as const
  return goingBack(back, next, event.at)
}

export function fallbackProbed(
  state: State,
  step: StepOf<'Reverting'>,
  event: EventOf<'probed'>,
): Decision {
  if (event.attempt !== step.attempt.id || event.round !== state.rounds) return undefined
  if (!step.activated) return undefined
  const passes = event.healthy ? step.passes + 1 : 0
  if (passes >= state.limits.passes) return settle(state, event.at)
  const [waiting, probe] = nextRound(state, { ...step, passes }, state.limits.probeIntervalMs)
  return [waiting, [probe]]
}

/** The way back failed too: another switch would be ping-pong, so a person has to look. */
export function revertDeadline(
  state: State,
  step: StepOf<'Reverting'>,
  event: EventOf<'deadline'>,
): Decision {
  if (event.attempt !== step.attempt.id) return undefined
  if (event.of !== (step.activated ? 'fallback' : 'revert')) return undefined
  const what = step.activated ? 'it is not healthy either' : 'the activation took too long'
  const message = `Cannot go back to "${step.to}": ${what}`
  return hold(state, step, { code: 'revert', message, at: event.at })
}

function hold(
  state: State,
  { attempt, to }: StepOf<'Reverting'>,
  { at, ...reason }: Failure,
): [State, Effect[]] {
  const { release } = attempt.goal
  const lastResult = { outcome: 'held', system: to, code: reason.code, at } as const
  return [
    {
      ...state,
      step: { phase: 'Held', reason },
      lastResult: { ...lastResult, ...(release ? { release } : {}) },
    },
    [{ kind: 'tidy' }],
  ]
}
