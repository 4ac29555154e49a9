/** How a rollout stands, from what hosts and releases say. Pure: the clock comes in as a number. */
import type { Phase, ReleaseId } from '../agent/codec/report.ts'
import type { PhaseChange } from '../agent/codec/report-envelope.ts'
import type { HostOutcome, RolloutHost, RolloutOutcome, RolloutRecord } from './storage.ts'

/** What one line of a host's history or its newest status says of the release it names. */
export type Observation = Omit<PhaseChange, 'id'>

/** As people see it: a host that is not heard of leaves the count until it is back. */
export type SeenOutcome = HostOutcome | 'Offline'

const outcomes: Record<Phase, HostOutcome | undefined> = {
  Idle: undefined,
  Verified: 'Progressing',
  Staged: 'Progressing',
  Locked: 'Progressing',
  Armed: 'Progressing',
  Testing: 'Progressing',
  Committed: 'Committed',
  Reverting: 'Progressing',
  Reverted: 'RolledBack',
  Held: 'Held',
}

/** Where the observed release stands on its host. */
export function outcomeOf(observation: Observation): HostOutcome {
  const { phase, synced, code } = observation
  const known = outcomes[phase]
  if (known !== undefined) return known
  if (synced) return 'Committed'
  return code === undefined ? 'Pending' : 'RolledBack'
}

/** The host's line after the observation. What was committed stays so unless the host went back. */
export function advanceHost(
  before: RolloutHost | undefined,
  observation: Observation,
  host: string,
): RolloutHost {
  const at = Date.parse(observation.at)
  const outcome = outcomeOf(observation)
  const settled = before?.outcome === 'Committed' || before?.outcome === 'RolledBack'
  if (before && settled && outcome === 'Pending') return before
  if (before?.outcome === 'Committed' && outcome === 'Progressing') return before
  const { phase, code, message } = observation
  const startedAt = before?.startedAt ?? (outcome === 'Pending' ? undefined : at)
  const endedAt = before?.outcome === outcome ? before.endedAt : at
  return {
    host,
    outcome,
    phase,
    ...(before?.system !== undefined && { system: before.system }),
    ...(code !== undefined && { code }),
    ...(message !== undefined && { message }),
    ...(startedAt !== undefined && { startedAt }),
    ...(isEnded(outcome) && endedAt !== undefined && { endedAt }),
  }
}

/**
 * The outcome once nobody is on the way any more. An ended rollout never starts again: a host that
 * joins late can only make a success fail, or be the last one that a failure waited for.
 */
export function rolloutOutcome(before: RolloutOutcome, hosts: SeenOutcome[]): RolloutOutcome {
  const has = (outcome: SeenOutcome) => hosts.includes(outcome)
  if (before === 'Superseded' || has('Pending') || has('Progressing')) return before
  if (has('RolledBack') || has('Held')) return 'Failed'
  return has('Committed') ? 'Succeeded' : before
}

/** As the newer rollout of the channel leaves it: what had an outcome keeps it. */
export function supersede(rollout: RolloutRecord, now: number): RolloutRecord {
  if (rollout.outcome !== 'Progressing') return rollout
  const hosts = rollout.hosts.map(host =>
    isEnded(host.outcome) ? host : { ...host, outcome: 'Superseded' as const, endedAt: now },
  )
  return { ...rollout, outcome: 'Superseded', endedAt: now, hosts }
}

export function isEnded(outcome: HostOutcome): boolean {
  return outcome !== 'Pending' && outcome !== 'Progressing'
}

export function compareReleases(a: ReleaseId, b: ReleaseId): number {
  return a.epoch - b.epoch || a.version - b.version
}

export function sameRelease(a: ReleaseId | undefined, b: ReleaseId | undefined): boolean {
  return a !== undefined && b !== undefined && compareReleases(a, b) === 0
}
