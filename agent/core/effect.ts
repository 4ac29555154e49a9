import type { StorePath } from '../codec/documents.ts'
import type { Deadline } from './event.ts'
import type { Attempt, Baseline, Candidate, Goal } from './state.ts'

/**
 * What the shell shall do, after the state was persisted. Every effect may be performed twice; its
 * answer names the key or the attempt it belongs to.
 */
export type Effect =
  /** Answered by `staged` or `stageFailed`. */
  | { kind: 'stage'; candidate: Candidate }
  /** Answered by `locked` or `delayed`. */
  | { kind: 'lock'; key: string }
  /** Answered by `measured` or `delayed`. */
  | { kind: 'measure'; goal: Goal }
  /** Starts the activation unless this attempt's was started before; answered by `activating`. */
  | { kind: 'activate'; attempt: Attempt; deadlineMs: number }
  /** Answered by `activationDone` or `activationLost`. */
  | { kind: 'awaitActivation'; attempt: string }
  /** One round, `delayMs` from now; answered by `probed`. */
  | {
      kind: 'probe'
      attempt: string
      round: number
      system: StorePath
      baseline: Baseline
      delayMs: number
    }
  /** Answered by `committed` or `commitFailed`. */
  | { kind: 'commit'; attempt: string; system: StorePath }
  /** Stops the attempt's activation and re-activates `to`; answered by `reverted`. */
  | { kind: 'revert'; attempt: string; to: StorePath; deadlineMs: number }
  /** Releases the lock and drops the roots and leftovers that nothing needs. Not answered. */
  | { kind: 'tidy' }
  /** Answered by `deadline`, `delayMs` from now. */
  | { kind: 'setDeadline'; attempt: string; of: Deadline; delayMs: number }
  /** Answered by `retry`, `delayMs` from now and some jitter. */
  | { kind: 'scheduleRetry'; key: string; delayMs: number }
  /** Asks the sources now. */
  | { kind: 'poll' }

export type EffectKind = Effect['kind']
