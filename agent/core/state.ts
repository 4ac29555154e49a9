import type { StorePath } from '../codec/documents.ts'
import type { Rejection, ReleaseId } from '../codec/report.ts'

/** What this host shall run by one verified release. Times are milliseconds since 1970, UTC. */
export type Candidate = {
  release: ReleaseId
  /** SHA-256 (hex) of the release document's bytes: the key that answers name. */
  digest: string
  system: StorePath
  closure: string
  closureSize: number
  caches: string[]
  /** Past this moment the release is not installed any more. */
  expires: number
}

/** Where an attempt leads: a release's system, an older generation, or the committed one again. */
export type Goal = { key: string; system: StorePath; release?: ReleaseId; expires?: number }

/** A JSON value that only the probes understand. */
export type Baseline = unknown

/** One try to make a goal run, from its journal record to its end. */
export type Attempt = {
  /** Never used twice on a host: names the activation's unit and its result. */
  id: string
  goal: Goal
  /** 1 for the first try of this goal; tries that power cuts ended count. */
  count: number
  /** What is re-activated on any failure; absent only on a host that never ran anything. */
  from?: StorePath
  baseline: Baseline
  startedBoot: string
  startedAt: number
}

export type Problem = { code: string; message: string }

/** A problem at its time. */
export type Failure = Problem & { at: number }

/** Where the host stands. Only what a step needs is in it. */
export type Step =
  | { phase: 'Idle' }
  | { phase: 'Verified'; candidate: Candidate; failures: number }
  | { phase: 'Staged'; candidate: Candidate; failures: number }
  | { phase: 'Locked'; goal: Goal; failures: number }
  | { phase: 'Armed'; attempt: Attempt }
  | {
      phase: 'Testing'
      attempt: Attempt
      /** False while the activation runs; then probes do. */
      activated: boolean
      probesStartedAt?: number
      passes: number
      failure?: Problem
      /** The agent was restarted in it: the window began again, which it does once. */
      resumed?: true
    }
  | { phase: 'Committed'; attempt: Attempt }
  | {
      phase: 'Reverting'
      attempt: Attempt
      to: StorePath
      activated: boolean
      startedAt: number
      passes: number
      reason: Problem
      resumed?: true
    }
  | { phase: 'Reverted'; reason: Problem }
  | { phase: 'Held'; reason: Problem }

export type StepOf<P extends Step['phase']> = Extract<Step, { phase: P }>

/** Named limits of the machine; the shell takes them from its configuration. */
export type Limits = {
  /** How often one release is tried when power cuts or crashes end the attempt. */
  attemptsMax: number
  /** Healthy rounds in a row before a commit. */
  passes: number
  probeIntervalMs: number
  /** How long probes may take to pass, after an activation and again after a way back. */
  probeWindowMs: number
  activationMs: number
  revertMs: number
  retryMsMin: number
  retryMsMax: number
}

/** Everything the agent must not forget. Written before any effect of the step is performed. */
export type State = {
  step: Step
  bootId: string
  /** The system profile, as reality last had it. */
  committed?: { system: StorePath; generation: number }
  running?: StorePath
  /** The newest release accepted; it only grows, as the floor does. */
  newest?: Candidate
  tries?: { key: string; count: number }
  /** Counts attempts, for their names. */
  sequence: number
  /** Counts probe rounds, so that an answer is taken for one round only. */
  rounds: number
  /** Newest last, at most {@link REJECTED_MAX}. */
  rejected: Rejection[]
  /** Why there is no progress, when there is a reason. */
  problem?: Problem
  lastResult?: Result
  limits: Limits
}

/** How the last attempt ended. */
export type Result = {
  outcome: 'committed' | 'converged' | 'reverted' | 'held' | 'interrupted'
  system: StorePath
  release?: ReleaseId
  code?: string
  at: number
}

/** Older rejections are below the floor anyway: a list this long is for people. */
export const REJECTED_MAX = 32

export const DEFAULT_LIMITS: Limits = {
  attemptsMax: 3,
  passes: 3,
  probeIntervalMs: 1_000,
  probeWindowMs: 60_000,
  activationMs: 300_000,
  revertMs: 300_000,
  retryMsMin: 2_000,
  retryMsMax: 600_000,
}

/** `sequence` starts above any earlier one's when a state was lost, so that no name comes back. */
export function initialState(sequence = 0, limits: Limits = DEFAULT_LIMITS): State {
  return { step: { phase: 'Idle' }, bootId: '', sequence, rounds: 0, rejected: [], limits }
}

/** At rest nothing is under way, and nothing but an event from outside changes that. */
export function atRest(state: State): boolean {
  const { phase } = state.step
  return phase === 'Idle' || phase === 'Reverted' || phase === 'Held'
}

/** Negative when `a` is older. */
export function compareReleases(a: ReleaseId, b: ReleaseId): number {
  return a.epoch - b.epoch || a.version - b.version
}

export function isRejected(state: State, release: ReleaseId): boolean {
  return state.rejected.some(({ release: other }) => compareReleases(release, other) === 0)
}
