/** What the read API, the terminal and the page show; the JSON of docs/reference/http-api.md. */
import type { Metrics, Rejection, ReleaseId, SourceStatus } from '../agent/codec/report.ts'
import { type Freshness, isOffline, seenOutcome } from './freshness.ts'
import type { SeenOutcome } from './rollout.ts'
import type { EventRecord, HostRecord, RolloutOutcome, RolloutRecord } from './storage.ts'

export type Health = 'Healthy' | 'Progressing' | 'Degraded' | 'Offline' | 'Unknown'
export type Sync = 'Synced' | 'OutOfSync' | 'Unknown'

/** Times are RFC 3339. */
export type HostView = {
  name: string
  fleet: string
  health: Health
  sync: Sync
  phase: string
  channel?: string
  release?: ReleaseId
  running?: string
  desired?: string
  generation?: number
  /** How long phase, health and release have been what they are. */
  since: string
  seenAt?: string
  enrolledAt: string
  key: string
  message?: string
  stale?: boolean
  rejected: Rejection[]
  sources: SourceStatus[]
  metrics?: Metrics
  agentVersion?: string
}

export type RolloutHostView = {
  host: string
  outcome: SeenOutcome
  phase?: string
  code?: string
  message?: string
  startedAt?: string
  endedAt?: string
  seconds?: number
}

export type RolloutView = {
  channel: string
  epoch: number
  version: number
  outcome: RolloutOutcome
  watched: boolean
  startedAt: string
  endedAt?: string
  seconds: number
  counts: Partial<Record<SeenOutcome, number>>
  hosts: RolloutHostView[]
}

export type EventView = Omit<EventRecord, 'at'> & { at: string }

/** What the watched release wants of a host, where releases are watched. */
export type Desired = (channel: string, host: string) => string | undefined

export function viewHost(host: HostRecord, freshness: Freshness, desired: Desired): HostView {
  const { status, metrics } = host
  const wanted = status && (desired(status.channel, host.name) ?? status.target)
  return {
    name: host.name,
    fleet: host.fleet,
    health: isOffline(host, freshness) ? 'Offline' : (status?.health ?? 'Unknown'),
    sync: syncOf(host, wanted),
    phase: status?.phase ?? 'Unknown',
    ...(status && { channel: status.channel, stale: status.stale }),
    ...(status?.release && { release: status.release }),
    ...(status?.running !== undefined && { running: status.running }),
    ...(wanted !== undefined && { desired: wanted }),
    ...(status?.generation !== undefined && { generation: status.generation }),
    since: time(host.since ?? host.enrolledAt),
    ...(host.seenAt !== undefined && { seenAt: time(host.seenAt) }),
    enrolledAt: time(host.enrolledAt),
    key: host.fingerprint,
    ...(status?.message !== undefined && { message: status.message }),
    rejected: status?.rejected ?? [],
    sources: status?.sources ?? [],
    ...(metrics && { metrics }),
    ...(status && { agentVersion: status.agentVersion }),
  }
}

function syncOf({ status }: HostRecord, wanted: string | undefined): Sync {
  if (status === undefined) return 'Unknown'
  if (wanted === undefined) return status.synced ? 'Synced' : 'Unknown'
  return status.running === wanted ? 'Synced' : 'OutOfSync'
}

export function viewRollout(
  rollout: RolloutRecord,
  hosts: ReadonlyMap<string, HostRecord>,
  freshness: Freshness,
): RolloutView {
  const lines = rollout.hosts.map(entry => {
    const { host, phase, code, message, startedAt, endedAt } = entry
    const outcome = seenOutcome(entry.outcome, hosts.get(host), freshness)
    const seconds = startedAt === undefined ? undefined : secondsOf(startedAt, endedAt, freshness)
    return {
      host,
      outcome,
      ...(phase !== undefined && { phase }),
      ...(code !== undefined && { code }),
      ...(message !== undefined && { message }),
      ...(startedAt !== undefined && { startedAt: time(startedAt) }),
      ...(endedAt !== undefined && { endedAt: time(endedAt) }),
      ...(seconds !== undefined && { seconds }),
    }
  })
  const counts: Partial<Record<SeenOutcome, number>> = {}
  for (const { outcome } of lines) counts[outcome] = (counts[outcome] ?? 0) + 1
  const { channel, epoch, version, outcome, watched, startedAt, endedAt } = rollout
  return {
    channel,
    epoch,
    version,
    outcome,
    watched,
    startedAt: time(startedAt),
    ...(endedAt !== undefined && { endedAt: time(endedAt) }),
    seconds: secondsOf(startedAt, endedAt, freshness),
    counts,
    hosts: lines,
  }
}

export function viewEvent(event: EventRecord): EventView {
  return { ...event, at: time(event.at) }
}

function secondsOf(startedAt: number, endedAt: number | undefined, { now }: Freshness): number {
  return Math.max(0, Math.round(((endedAt ?? now) - startedAt) / 100) / 10)
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}
