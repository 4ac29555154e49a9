import type { Release } from '../agent/codec/documents.ts'
import { RejectedError } from '../agent/codec/errors.ts'
import type { EnrolRequest, SentReport } from '../agent/codec/report-envelope.ts'
import type { Freshness } from './freshness.ts'
import { enrolHost, makeToken, type TokenRequest } from './join-token.ts'
import { noteOffline, settleChannel } from './settle.ts'
import type { EventRecord, HostRecord, RolloutHost, Storage, Transaction } from './storage.ts'
import { newestRollout, startRollout, takeReport } from './take-report.ts'
import {
  type EventView,
  type HostView,
  type RolloutView,
  viewEvent,
  viewHost,
  viewRollout,
} from './views.ts'

export type FleetOptions = {
  storage: Storage
  /** The only fleet whose hosts may enrol; without it, any. */
  fleet?: string
  /** Milliseconds since 1970. */
  now?: () => number
}

/** All that is shown at once, as of one moment. */
export type Overview = {
  now: number
  fleet?: string
  hosts: HostView[]
  rollouts: RolloutView[]
  /** Newest first. */
  events: EventView[]
}

const EVENTS_SHOWN = 50

/** What the controller does, apart from how it is asked: every method is one transaction. */
export class Fleet {
  readonly #storage: Storage
  readonly #fleet: string | undefined
  readonly #now: () => number
  readonly #since: number
  /** The newest verified release of each channel that is watched. */
  readonly #releases = new Map<string, Release>()

  constructor({ storage, fleet, now = Date.now }: FleetOptions) {
    this.#storage = storage
    this.#fleet = fleet
    this.#now = now
    this.#since = now()
  }

  async makeToken(request: TokenRequest): Promise<{ token: string; expiresAt: number }> {
    return await this.#change(tx => makeToken(tx, request, this.#now()), true)
  }

  /** Returns the fingerprint of the enrolled key, once that survives a power cut. */
  async enrol(request: EnrolRequest): Promise<string> {
    const context = { fleet: this.#fleet, now: this.#now() }
    return await this.#change(tx => enrolHost(tx, request, context), true)
  }

  async hostByKey(fingerprint: string): Promise<HostRecord | undefined> {
    return await this.#change(tx => tx.hostByKey(fingerprint))
  }

  async takeReport(fingerprint: string, report: SentReport): Promise<void> {
    await this.#change(async tx => {
      const host = await tx.hostByKey(fingerprint)
      if (!host) throw unknownKey()
      const channel = await takeReport({ tx, now: this.#now() }, host, report)
      if (channel !== undefined) await settleChannel(tx, channel, this.#freshness())
    })
  }

  /** Removes the host and its key: whoever holds that key is unknown from now on. */
  async removeHost(name: string): Promise<void> {
    await this.#change(async tx => {
      const channel = (await tx.host(name))?.status?.channel
      if (!(await tx.deleteHost(name))) throw noSuchHost(name)
      await tx.addEvent({ kind: 'host.removed', at: this.#now(), host: name })
      if (channel !== undefined) await settleChannel(tx, channel, this.#freshness())
    }, true)
  }

  /** Takes a release that the controller has verified by itself: it says which hosts are meant. */
  async takeRelease(release: Release): Promise<void> {
    await this.#change(async tx => {
      const { channel, epoch, version } = release
      const now = this.#now()
      const key = { channel, epoch, version }
      const rollout = (await tx.rollout(key)) ?? (await startRollout({ tx, now }, key))
      const hosts = [...release.hosts].map(([host, { system }]): RolloutHost => {
        const before = rollout.hosts.find(entry => entry.host === host)
        return { host, outcome: 'Pending', ...before, system }
      })
      hosts.sort((a, b) => (a.host < b.host ? -1 : 1))
      await tx.putRollout({ ...rollout, watched: true, hosts })
      await settleChannel(tx, channel, this.#freshness())
    })
    this.#releases.set(release.channel, release)
  }

  /** Looks at the clock: who has gone quiet, and which rollout that brings to its end. */
  async tick(): Promise<void> {
    await this.#change(async tx => {
      const freshness = this.#freshness()
      await noteOffline(tx, freshness)
      const channels = new Set((await tx.rollouts()).map(rollout => rollout.channel))
      for (const channel of channels) await settleChannel(tx, channel, freshness)
    })
  }

  async hosts(): Promise<HostView[]> {
    return (await this.overview()).hosts
  }

  async host(name: string): Promise<HostView> {
    const host = await this.#change(tx => tx.host(name))
    if (!host) throw noSuchHost(name)
    return viewHost(host, this.#freshness(), this.#desired)
  }

  /** The newest rollout of the channel, or of the one channel there is news of. */
  async latestRollout(channel?: string): Promise<RolloutView> {
    return await this.#change(async tx => {
      const all = await tx.rollouts(channel)
      const last = all.toSorted((a, b) => b.startedAt - a.startedAt)[0]
      const newest = newestRollout(all.filter(rollout => rollout.channel === last?.channel))
      if (!newest) {
        throw new RejectedError('no-rollout', 'Cannot find "latest rollout": there is none yet')
      }
      const hosts = new Map((await tx.hosts()).map(host => [host.name, host]))
      return viewRollout(newest, hosts, this.#freshness())
    })
  }

  async rollouts(): Promise<RolloutView[]> {
    return (await this.overview()).rollouts
  }

  async overview(): Promise<Overview> {
    return await this.#change(async tx => {
      const freshness = this.#freshness()
      const records = await tx.hosts()
      const byName = new Map(records.map(host => [host.name, host]))
      const rollouts = await tx.rollouts()
      const { last } = await tx.eventRange()
      const events = await tx.eventsAfter(Math.max(0, last - EVENTS_SHOWN), EVENTS_SHOWN)
      const fleet = this.#fleet ?? records[0]?.fleet
      return {
        now: freshness.now,
        ...(fleet !== undefined && { fleet }),
        hosts: records.map(host => viewHost(host, freshness, this.#desired)),
        rollouts: rollouts.map(rollout => viewRollout(rollout, byName, freshness)),
        events: events.map(viewEvent).reverse(),
      }
    })
  }

  /** Kept events after `id`; `gap` when some in between are kept no longer. */
  async eventsAfter(id: number, limit: number): Promise<{ events: EventRecord[]; gap: boolean }> {
    return await this.#change(async tx => {
      const { first, last } = await tx.eventRange()
      const gap = id > last || id + 1 < first || last - id > limit
      return { events: gap ? [] : await tx.eventsAfter(id, limit), gap }
    })
  }

  subscribe(listener: (event: EventRecord) => void): () => void {
    return this.#storage.subscribe(listener)
  }

  async lastEventId(): Promise<number> {
    return (await this.#change(tx => tx.eventRange())).last
  }

  readonly #desired = (channel: string, host: string): string | undefined =>
    this.#releases.get(channel)?.hosts.get(host)?.system

  #freshness(): Freshness {
    return { now: this.#now(), since: this.#since }
  }

  #change<T>(work: (tx: Transaction) => Promise<T>, durable = false): Promise<T> {
    return this.#storage.transaction(work, { durable })
  }
}

function noSuchHost(name: string): RejectedError {
  return new RejectedError('no-such-host', `Cannot find "${name.slice(0, 80)}": no such host`)
}

/** Also for a key that was removed between the check of its signature and this moment. */
export function unknownKey(): RejectedError {
  return new RejectedError('unauthorized', 'Cannot take "report": its key is not enrolled')
}
