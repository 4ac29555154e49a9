/** What a host says of itself. The signed envelope's codec is `report-envelope.ts`. */
import type { StorePath } from './documents.ts'

/** The states of `agent/core`, as reports and status name them. */
export type Phase =
  | 'Idle'
  | 'Verified'
  | 'Staged'
  | 'Locked'
  | 'Armed'
  | 'Testing'
  | 'Committed'
  | 'Reverting'
  | 'Reverted'
  | 'Held'

/** A release by its order: epochs first, then versions. */
export type ReleaseId = { epoch: number; version: number }

/** A release that failed here and is not tried again, with the reason. */
export type Rejection = {
  release: ReleaseId
  system: StorePath
  code: string
  message: string
  /** RFC 3339. */
  at: string
}

/** What a source said at the last poll. */
export type SourceStatus = {
  name: string
  ok: boolean
  checkedAt: string
  code?: string
  message?: string
}

/** Everything `holdfast-agent status` prints and a report carries. */
export type Status = {
  fleet: string
  host: string
  channel: string
  phase: Phase
  /** The newest release that was verified, if any. */
  release?: ReleaseId
  /** What that release wants here. */
  target?: StorePath
  running?: StorePath
  committed?: StorePath
  generation?: number
  /** Running equals target. */
  synced: boolean
  /** The release has expired: nothing new is installed until a newer one is published. */
  stale: boolean
  health: 'Healthy' | 'Progressing' | 'Degraded' | 'Unknown'
  /** One sentence, when there is something to say. */
  message?: string
  rejected: Rejection[]
  sources: SourceStatus[]
  bootId: string
  agentVersion: string
}

/** From systeminformation; bytes, seconds, and load per core. */
export type Metrics = {
  uptimeSeconds: number
  loadPerCore: number
  memoryTotal: number
  memoryUsed: number
  storeFree: number
}

/** One report; `counter` only grows for a host key, so that a replayed one is refused. */
export type Report = { counter: number; sentAt: string; status: Status; metrics?: Metrics }

/** What the shell calls whenever its status changed. Sending is the reporter's own business. */
export interface Reporter {
  /** Queues the newest status; never throws, never waits. */
  report(status: Status): void
  close(): Promise<void>
}
