import {
  activating,
  activationDone,
  activationLost,
  commitFailed,
  committed,
  measured,
  probed,
  testDeadline,
} from './attempt-steps.ts'
import {
  reconcileAtRest,
  reconcileBusy,
  reconcileWaiting,
  rollback,
  rollbackTest,
} from './command-steps.ts'
import type { Effect } from './effect.ts'
import type { Event, EventKind, EventOf } from './event.ts'
import {
  delayed,
  found,
  foundMeanwhile,
  locked,
  refused,
  retry,
  staged,
  stageFailed,
  unchanged,
} from './release-steps.ts'
import { fallbackProbed, revertDeadline, reverted } from './revert-steps.ts'
import type { Decision } from './settle.ts'
import { started } from './start-steps.ts'
import type { State, Step, StepOf } from './state.ts'

export type Phase = Step['phase']

type Rule<P extends Phase, K extends EventKind> = {
  /** Every phase the rule can lead to; docs/reference/states.md is generated from it. */
  to: Phase[]
  run: (state: State, step: StepOf<P>, event: EventOf<K>) => Decision
}

type Table = { [P in Phase]: { [K in EventKind]?: Rule<P, K> } }

/** Where a settled host can be: converged, at work on the newest release, or having refused it. */
const SETTLED: Phase[] = ['Idle', 'Verified', 'Reverted']
const START: Phase[] = [...SETTLED, 'Reverting']

const newer = { to: ['Idle', 'Verified'] as Phase[], run: found }
const note = { refused: stay(refused), unchanged: stay(unchanged) }
const rollbackRule = {
  to: ['Locked', 'Reverted', 'Reverting'] as Phase[],
  run: rollback,
}
const resting = {
  ...note,
  commandReconcile: {
    to: START,
    run: reconcileAtRest,
  },
  commandRollback: rollbackRule,
}
const underWay = { ...note, commandReconcile: stay(reconcileBusy) }

/** The whole machine. An event without a rule for the phase changes nothing. */
export const table: Table = {
  Idle: {
    ...resting,
    started: { to: ['Idle', 'Verified', 'Reverting'], run: started },
    found: newer,
    commandReconcile: { to: ['Idle', 'Verified', 'Reverting'], run: reconcileAtRest },
    commandRollback: { to: ['Locked', 'Idle', 'Reverted', 'Reverting'], run: rollback },
  },
  Verified: {
    started: { to: ['Verified', 'Reverting'], run: started },
    found: newer,
    staged: { to: ['Staged'], run: staged },
    stageFailed: { to: ['Verified', 'Reverted'], run: stageFailed },
    retry: { to: ['Verified'], run: retry },
    commandRollback: rollbackRule,
    ...note,
    commandReconcile: { to: ['Verified'], run: reconcileWaiting },
  },
  Staged: {
    started: { to: ['Staged', 'Reverting'], run: started },
    found: newer,
    locked: { to: ['Locked'], run: locked },
    delayed: { to: ['Staged'], run: delayed },
    retry: { to: ['Staged'], run: retry },
    commandRollback: rollbackRule,
    ...note,
    commandReconcile: { to: ['Staged'], run: reconcileWaiting },
  },
  Locked: {
    started: { to: ['Locked', ...START], run: started },
    found: { to: ['Idle', 'Verified', 'Reverting'], run: found },
    measured: { to: ['Armed', 'Idle'], run: measured },
    delayed: { to: ['Locked'], run: delayed },
    retry: { to: ['Locked'], run: retry },
    commandRollback: rollbackRule,
    ...note,
    commandReconcile: { to: ['Locked'], run: reconcileWaiting },
  },
  Armed: {
    started: { to: ['Armed', ...START], run: started },
    found: { to: ['Armed'], run: foundMeanwhile },
    activating: { to: ['Testing'], run: activating },
    activationLost: { to: ['Reverting', 'Reverted'], run: activationLost },
    ...underWay,
  },
  Testing: {
    started: { to: ['Testing', ...START], run: started },
    found: { to: ['Testing'], run: foundMeanwhile },
    activationDone: { to: ['Testing', 'Reverting', 'Reverted'], run: activationDone },
    activationLost: { to: ['Reverting', 'Reverted'], run: activationLost },
    probed: { to: ['Testing', 'Committed'], run: probed },
    deadline: { to: ['Reverting', 'Reverted'], run: testDeadline },
    commandRollback: { to: ['Testing', 'Reverting', 'Reverted'], run: rollbackTest },
    ...underWay,
  },
  Committed: {
    started: { to: ['Committed', ...START], run: started },
    found: { to: ['Committed'], run: foundMeanwhile },
    committed: { to: SETTLED, run: committed },
    commitFailed: { to: ['Reverting', 'Reverted'], run: commitFailed },
    ...underWay,
  },
  Reverting: {
    started: { to: START, run: started },
    found: { to: ['Reverting'], run: foundMeanwhile },
    reverted: { to: [...START, 'Held'], run: reverted },
    probed: { to: START, run: fallbackProbed },
    deadline: { to: ['Held'], run: revertDeadline },
    ...underWay,
  },
  Reverted: { started: { to: START, run: started }, found: newer, ...resting },
  Held: {
    started: { to: ['Held'], run: started },
    found: { to: ['Held'], run: foundMeanwhile },
    ...resting,
  },
}

/**
 * The next state and what to do about it. Pure: time arrives in events and delays leave in effects.
 * An event that does not belong to the step is answered with the very same state and no effect.
 */
export function decide(state: State, event: Event): [State, Effect[]] {
  const rule = table[state.step.phase][event.kind] as Rule<Phase, EventKind> | undefined
  return rule?.run(state, state.step as never, event as never) ?? [state, []]
}

/** A rule that keeps the phase, whatever it is. */
function stay<R>(run: R) {
  return { to: [] as Phase[], run }
}
