import type { Metrics, Phase, ReleaseId, Status } from '../agent/codec/report.ts'

/** One enrolled host. Here and below, times are milliseconds since 1970 by the own clock. */
export type HostRecord = {
  name: string
  fleet: string
  /** `ssh-ed25519 AAAA…`; the fingerprint is how its reports name it. */
  publicKey: string
  fingerprint: string
  enrolledAt: number
  /** Of the newest report that was taken: only a greater one is taken next. */
  counter: number
  /** Of the newest phase change that was taken. */
  changeId: number
  seenAt?: number
  intervalSeconds?: number
  status?: Status
  metrics?: Metrics
  /** When phase, release or health last became what they are. */
  since?: number
  /** Whether the events say it is offline. */
  offline: boolean
}

export type TokenRecord = {
  /** SHA-256 (hex) of the token, which itself is stored nowhere. */
  hash: string
  /** The only host name it enrols; absent for any. */
  host?: string
  expiresAt: number
  usesLeft: number
}

export type HostOutcome =
  | 'Pending'
  | 'Progressing'
  | 'Committed'
  | 'RolledBack'
  | 'Held'
  | 'Superseded'
export type RolloutOutcome = 'Progressing' | 'Succeeded' | 'Failed' | 'Superseded'

/** One release moving through the hosts of its channel. */
export type RolloutKey = { channel: string } & ReleaseId
export type RolloutRecord = RolloutKey & {
  outcome: RolloutOutcome
  startedAt: number
  endedAt?: number
  /** Verified by the controller itself; otherwise only hosts have spoken of it. */
  watched: boolean
  hosts: RolloutHost[]
}

export type RolloutHost = {
  host: string
  outcome: HostOutcome
  phase?: Phase
  code?: string
  message?: string
  /** What the watched release wants here. */
  system?: string
  startedAt?: number
  endedAt?: number
}

export const eventKinds = [
  'host.enrolled',
  'host.removed',
  'host.phase',
  'host.offline',
  'host.online',
  'rollout.started',
  'rollout.ended',
] as const

export type FleetEvent = {
  kind: (typeof eventKinds)[number]
  at: number
  host?: string
  channel?: string
  release?: ReleaseId
  from?: string
  to?: string
  code?: string
  message?: string
}
export type EventRecord = FleetEvent & { id: number }

/** What work in one transaction sees and changes; nobody else sees half of it. */
export interface Transaction {
  host(name: string): Promise<HostRecord | undefined>
  hostByKey(fingerprint: string): Promise<HostRecord | undefined>
  /** By name. */
  hosts(): Promise<HostRecord[]>
  putHost(host: HostRecord): Promise<void>
  /** Whether there was one. */
  deleteHost(name: string): Promise<boolean>
  token(hash: string): Promise<TokenRecord | undefined>
  putToken(token: TokenRecord): Promise<void>
  deleteToken(hash: string): Promise<void>
  deleteTokensBefore(expiresAt: number): Promise<void>
  rollout(key: RolloutKey): Promise<RolloutRecord | undefined>
  /** Newest release first: by epoch, then version. */
  rollouts(channel?: string): Promise<RolloutRecord[]>
  putRollout(rollout: RolloutRecord): Promise<void>
  addEvent(event: FleetEvent): Promise<void>
  /** At most `limit` with a greater id, oldest first. */
  eventsAfter(id: number, limit: number): Promise<EventRecord[]>
  /** Ids of the oldest kept and the newest; 0 when there is none. */
  eventRange(): Promise<{ first: number; last: number }>
}

/** SQLite has it in `sqlite-storage.ts`; the shape also fits a server that several share. */
export interface Storage {
  /**
   * Runs `work` alone and commits it, or nothing of it. With `durable` it has survived a power cut
   * once this resolves; without, a crash of the process only.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: { durable?: boolean }): Promise<T>
  /** Events, once they are committed, in order. */
  subscribe(listener: (event: EventRecord) => void): () => void
  close(): Promise<void>
}

/** Older ones are dropped: a stream that missed more starts anew from the state. */
export const EVENTS_MAX = 10_000
/** Per channel; the oldest are dropped. */
export const ROLLOUTS_MAX = 100
/** Of all channels: a host can invent those, too. */
export const ROLLOUTS_ALL_MAX = 1000
