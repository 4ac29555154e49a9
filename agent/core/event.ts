import type { StorePath } from '../codec/documents.ts'
import type { Baseline, Candidate, Limits } from './state.ts'

/** What is real at a moment, believed before anything remembered. */
export type Reality = {
  bootId: string
  running?: StorePath
  profile?: { system: StorePath; generation: number }
}

type Fault = { code: string; message: string }

type Body =
  | { kind: 'started'; reality: Reality; limits: Limits }
  | { kind: 'found'; candidate: Candidate }
  | { kind: 'refused'; code: string; message: string }
  | { kind: 'unchanged' }
  | { kind: 'staged'; key: string }
  | ({ kind: 'stageFailed'; key: string; cause: 'rejected' | 'transient' | 'host' } & Fault)
  | { kind: 'locked'; key: string }
  /** The lock was not granted, or the baseline could not be taken: later again. */
  | ({ kind: 'delayed'; key: string } & Fault)
  | { kind: 'measured'; key: string; baseline: Baseline }
  | { kind: 'activating'; attempt: string }
  | { kind: 'activationDone'; attempt: string; exitCode: number; output: string }
  | { kind: 'activationLost'; attempt: string; message: string }
  | { kind: 'probed'; attempt: string; round: number; healthy: boolean; failures: Fault[] }
  | { kind: 'deadline'; attempt: string; of: Deadline }
  | { kind: 'committed'; attempt: string; generation: number }
  | ({ kind: 'commitFailed'; attempt: string } & Fault)
  /** The way back moves the profile too, where it was moved or meddled with. */
  | {
      kind: 'reverted'
      attempt: string
      ok: boolean
      message: string
      profile?: { system: StorePath; generation: number }
    }
  | { kind: 'retry'; key: string }
  | { kind: 'commandReconcile'; reality: Reality; retry: boolean }
  | { kind: 'commandRollback'; reality: Reality; to: { system: StorePath; generation: number } }

export type Deadline = 'activation' | 'probes' | 'revert' | 'fallback'

/** `at` is milliseconds since 1970, never before the newest time that was proved. */
export type Event = Body & { at: number }
export type EventKind = Event['kind']
export type EventOf<K extends EventKind> = Extract<Event, { kind: K }>
