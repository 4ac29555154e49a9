import type { EventOf } from './event.ts'
import { effectsOf } from './release-steps.ts'
import { revert } from './revert-steps.ts'
import { type Decision, reject, settle } from './settle.ts'
import { takeOver } from './start-steps.ts'
import { compareReleases, type Goal, type State, type Step, type StepOf } from './state.ts'

/** A person asks to look again: at reality, at the newest release, and at the sources. */
export function reconcileAtRest(
  state: State,
  _: Step,
  event: EventOf<'commandReconcile'>,
): Decision {
  const real = takeOver(event.retry ? forgive(state) : state, event.reality)
  const [next, effects] = settle(real, event.at)
  return [next, [...effects, { kind: 'poll' }]]
}

/** Before the switch a wait for the next try ends now. */
export function reconcileWaiting(
  state: State,
  step: StepOf<'Verified'> | StepOf<'Staged'> | StepOf<'Locked'>,
): Decision {
  return [state, [...(step.failures > 0 ? effectsOf(step) : []), { kind: 'poll' }]]
}

/** A switch is under way: only the sources are asked. */
export function reconcileBusy(state: State): Decision {
  return [state, [{ kind: 'poll' }]]
}

function forgive(state: State): State {
  const { newest } = state
  if (newest === undefined) return state
  const { tries: _, ...rest } = state
  const others = ({ release }: { release: typeof newest.release }) =>
    compareReleases(release, newest.release) !== 0
  return { ...rest, rejected: state.rejected.filter(others) }
}

const ROLLBACK = 'generation-'

/** Back to an older generation; the newest release is remembered as refused by a person. */
export function rollback(state: State, _: Step, event: EventOf<'commandRollback'>): Decision {
  const real = takeOver(refuseNewest(state, event.at), event.reality)
  const { to, at } = event
  if (to.system === real.committed?.system) return settle(real, at)
  const goal: Goal = { key: `${ROLLBACK}${to.generation}-${at}`, system: to.system }
  return [{ ...real, step: { phase: 'Locked', goal, failures: 0 } }, [{ kind: 'measure', goal }]]
}

/**
 * Under test: the attempt is broken off, which leads to the older system by itself. Unless the test
 * is of a rollback: asked for twice, it must not end on the system that it left.
 */
export function rollbackTest(
  state: State,
  { attempt }: StepOf<'Testing'>,
  { at }: EventOf<'commandRollback'>,
): Decision {
  if (attempt.goal.key.startsWith(ROLLBACK)) return [refuseNewest(state, at), []]
  return revert(refuseNewest(state, at), attempt, { ...BY_A_PERSON, at })
}

const BY_A_PERSON = {
  code: 'rolled-back',
  message: 'Cannot keep the release: a person rolled it back',
}

function refuseNewest(state: State, at: number): State {
  return state.newest === undefined ? state : reject(state, state.newest, { ...BY_A_PERSON, at })
}
