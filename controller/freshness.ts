import { isEnded, type SeenOutcome } from './rollout.ts'
import type { HostOutcome, HostRecord } from './storage.ts'

/** Before its first report a host has this long to make one. */
const INTERVAL_SECONDS_DEFAULT = 60
/** One lost report is weather, two are news. */
const MISSED = 2.5
const GRACE_MS = 2000

export type Freshness = {
  now: number
  /** When this controller started: while it was away it could not hear anybody. */
  since: number
}

/** Whether the host has missed its heartbeats. */
export function isOffline(host: HostRecord, { now, since }: Freshness): boolean {
  const heard = Math.max(host.seenAt ?? host.enrolledAt, since)
  const intervalMs = (host.intervalSeconds ?? INTERVAL_SECONDS_DEFAULT) * 1000
  return now - heard > intervalMs * MISSED + GRACE_MS
}

/** The outcome as it counts: who is not heard of, or not enrolled, holds nothing up. */
export function seenOutcome(
  outcome: HostOutcome,
  host: HostRecord | undefined,
  freshness: Freshness,
): SeenOutcome {
  if (isEnded(outcome)) return outcome
  return host === undefined || isOffline(host, freshness) ? 'Offline' : outcome
}
