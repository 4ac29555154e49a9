import { type Freshness, isOffline, seenOutcome } from './freshness.ts'
import { compareReleases, rolloutOutcome, supersede } from './rollout.ts'
import type { HostRecord, RolloutRecord, Transaction } from './storage.ts'
import { newestRollout } from './take-report.ts'

/**
 * Brings the channel's rollouts up to date: older ones are superseded, the newest one includes
 * every host of the channel, and gets its outcome once nobody is on the way.
 */
export async function settleChannel(
  tx: Transaction,
  channel: string,
  freshness: Freshness,
): Promise<void> {
  const rollouts = await tx.rollouts(channel)
  const newest = newestRollout(rollouts)
  if (newest === undefined) return
  for (const rollout of rollouts) {
    // Hosts may know of a release before the controller has read and verified it.
    if (compareReleases(rollout, newest) >= 0) continue
    const after = supersede(rollout, freshness.now)
    if (after !== rollout) await finish(tx, after)
  }
  await settleNewest(tx, newest, freshness)
}

async function settleNewest(
  tx: Transaction,
  rollout: RolloutRecord,
  freshness: Freshness,
): Promise<void> {
  const known = new Map((await tx.hosts()).map(host => [host.name, host]))
  const joined = join(rollout, [...known.values()])
  const outcomes = joined.hosts.map(({ host, outcome }) =>
    seenOutcome(outcome, known.get(host), freshness),
  )
  const outcome = rolloutOutcome(joined.outcome, outcomes)
  if (outcome !== rollout.outcome) {
    await finish(tx, { ...joined, outcome, endedAt: freshness.now })
  } else if (joined !== rollout) {
    await tx.putRollout(joined)
  }
}

/** Hosts of the channel that have not spoken of the release yet; a verified one names its own. */
function join(rollout: RolloutRecord, hosts: HostRecord[]): RolloutRecord {
  if (rollout.watched || rollout.outcome !== 'Progressing') return rollout
  const missing = hosts.filter(
    host =>
      host.status?.channel === rollout.channel &&
      // The host has read the release and found that it is not meant.
      !host.status.sources.some(source => source.code === 'no-target') &&
      !rollout.hosts.some(entry => entry.host === host.name),
  )
  if (missing.length === 0) return rollout
  const added = missing.map(host => ({ host: host.name, outcome: 'Pending' as const }))
  const all = [...rollout.hosts, ...added].sort((a, b) => (a.host < b.host ? -1 : 1))
  return { ...rollout, hosts: all }
}

async function finish(tx: Transaction, rollout: RolloutRecord): Promise<void> {
  const { channel, epoch, version, outcome, endedAt = 0 } = rollout
  await tx.putRollout(rollout)
  const release = { epoch, version }
  await tx.addEvent({ kind: 'rollout.ended', at: endedAt, channel, release, to: outcome })
}

/** Notes who went quiet since the last look. Returns whether anybody did. */
export async function noteOffline(tx: Transaction, freshness: Freshness): Promise<boolean> {
  const quiet = (await tx.hosts()).filter(host => !host.offline && isOffline(host, freshness))
  for (const host of quiet) {
    await tx.putHost({ ...host, offline: true })
    await tx.addEvent({ kind: 'host.offline', at: freshness.now, host: host.name })
  }
  return quiet.length > 0
}
