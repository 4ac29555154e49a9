import { RejectedError } from '../agent/codec/errors.ts'
import type { Status } from '../agent/codec/report.ts'
import type { PhaseChange, SentReport } from '../agent/codec/report-envelope.ts'
import { changeOf } from '../agent/codec/report-fields.ts'
import { advanceHost, compareReleases, type Observation, sameRelease } from './rollout.ts'
import type { HostRecord, RolloutRecord, Transaction } from './storage.ts'

export type Taking = { tx: Transaction; now: number }

/** A report whose counter is not above the newest one: `seen` tells the host where to go on. */
export class ReplayedError extends RejectedError {
  readonly seen: number

  constructor(seen: number) {
    super('replayed', 'Cannot take "report": its counter was already seen')
    this.seen = seen
  }
}

/**
 * Takes a verified report: refuses an old counter (C06), another host's name (C05), then records
 * history, status and what they mean for rollouts. Returns the channel to settle, or undefined
 * for a mere heartbeat.
 */
export async function takeReport(
  { tx, now }: Taking,
  host: HostRecord,
  report: SentReport,
): Promise<string | undefined> {
  const { status } = report
  if (status.host !== host.name || status.fleet !== host.fleet) {
    const is = `it is signed by the key of host "${host.name}" of fleet "${host.fleet}"`
    throw new RejectedError('forbidden', `Cannot take "report of ${status.host}": ${is}`)
  }
  if (report.counter <= host.counter) throw new ReplayedError(host.counter)
  const seen = await takeHistory({ tx, now }, host, report)
  const changed = stateOf(host.status) !== stateOf(status)
  if (host.offline) await tx.addEvent({ kind: 'host.online', at: now, host: host.name })
  const { metrics = host.metrics } = report
  await tx.putHost({
    ...host,
    counter: report.counter,
    changeId: Math.max(host.changeId, ...seen.map(change => change.id)),
    seenAt: now,
    intervalSeconds: report.intervalSeconds,
    status,
    ...(metrics && { metrics }),
    since: changed || host.since === undefined ? now : host.since,
    offline: false,
  })
  return changed || seen.length > 0 || host.offline ? status.channel : undefined
}

async function takeHistory(
  { tx, now }: Taking,
  host: HostRecord,
  report: SentReport,
): Promise<PhaseChange[]> {
  const place = { host: host.name, channel: report.status.channel }
  const seen = report.history.filter(change => change.id > host.changeId)
  let before: Observation | undefined = host.status && observationOf(host.status, now)
  for (const change of seen) {
    const after = { ...change, at: pastTime(change.at, now) }
    await observe({ tx, now }, { ...place, before, after })
    before = after
  }
  const after = observationOf(report.status, now)
  if (seen.length === 0 && isHeartbeat(host.status, report.status)) return seen
  await observe({ tx, now }, { ...place, before, after })
  return seen
}

/** Nothing that a rollout or a person would see: what most reports are. */
function isHeartbeat(before: Status | undefined, after: Status): boolean {
  if (before?.channel !== after.channel) return false
  return JSON.stringify(changeOf(before)) === JSON.stringify(changeOf(after))
}

type Observed = {
  host: string
  channel: string
  before: Observation | undefined
  after: Observation
}

/** Puts what was observed into the rollout of its release, and tells of it. */
async function observe({ tx, now }: Taking, observed: Observed): Promise<void> {
  const { release } = observed.after
  if (release !== undefined) {
    const key = { channel: observed.channel, ...release }
    const rollout = (await tx.rollout(key)) ?? (await startRollout({ tx, now }, key))
    const advanced = advanceRollout(rollout, observed)
    if (advanced !== rollout) await tx.putRollout(advanced)
  }
  await announce(tx, observed)
}

function advanceRollout(rollout: RolloutRecord, { host, after }: Observed): RolloutRecord {
  const before = rollout.hosts.find(entry => entry.host === host)
  // The verified release says who is meant: a host that it does not name has no part in it.
  if (rollout.watched && before === undefined) return rollout
  const entry = advanceHost(before, after, host)
  if (JSON.stringify(entry) === JSON.stringify(before)) return rollout
  const others = rollout.hosts.filter(other => other.host !== host)
  return { ...rollout, hosts: [...others, entry].sort((a, b) => (a.host < b.host ? -1 : 1)) }
}

export async function startRollout(
  { tx, now }: Taking,
  key: { channel: string; epoch: number; version: number },
): Promise<RolloutRecord> {
  const { channel, epoch, version } = key
  const release = { epoch, version }
  await tx.addEvent({ kind: 'rollout.started', at: now, channel, release })
  return {
    channel,
    ...release,
    outcome: 'Progressing',
    startedAt: now,
    watched: false,
    hosts: [],
  }
}

async function announce(tx: Transaction, { host, before, after }: Observed): Promise<void> {
  const same = before?.phase === after.phase && before.health === after.health
  const bothNone = before?.release === undefined && after.release === undefined
  if (same && (bothNone || sameRelease(before.release, after.release))) return
  const { release, message, code } = after
  await tx.addEvent({
    kind: 'host.phase',
    at: Date.parse(after.at),
    host,
    to: after.phase,
    ...(before && { from: before.phase }),
    ...(release && { release: { epoch: release.epoch, version: release.version } }),
    ...(message !== undefined && { message }),
    ...(code !== undefined && { code }),
  })
}

function observationOf(status: Status, now: number): Observation {
  return { at: new Date(now).toISOString(), ...changeOf(status) }
}

/** A host's clock may be anything; what it says happened did not happen later than now. */
function pastTime(text: string, now: number): string {
  const at = Date.parse(text)
  return new Date(Number.isNaN(at) || at > now || at < 0 ? now : at).toISOString()
}

/** What a person calls the host's state: while it lasts, `since` stands still. */
function stateOf(status: Status | undefined): string {
  if (status === undefined) return ''
  const { phase, health, release } = status
  return JSON.stringify([phase, health, release?.epoch, release?.version])
}

/** The newest rollout of a channel: of the watched ones, where there are any. */
export function newestRollout(rollouts: RolloutRecord[]): RolloutRecord | undefined {
  const watched = rollouts.filter(rollout => rollout.watched)
  const candidates = watched.length > 0 ? watched : rollouts
  return candidates.toSorted((a, b) => compareReleases(b, a))[0]
}
