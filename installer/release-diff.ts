import type { StorePath, Target } from '../agent/codec/documents.ts'
import { UsageError } from '../agent/codec/errors.ts'
import { isHostName } from '../agent/codec/names.ts'
import { STORE_DIR } from '../agent/codec/store-path.ts'

/**
 * What a person asked for: systems by host, one for every host that is there, hosts to leave out.
 */
export type Wanted = {
  assign: Map<string, StorePath>
  all?: StorePath
  remove: string[]
}

export type HostChange = {
  host: string
  change: 'new' | 'changed' | 'unchanged' | 'removed'
  from?: StorePath
  to?: StorePath
}

/**
 * The new release, host by host and sorted, against the current one. A host's own entry goes before
 * `all`. Errors: UsageError `unknown-host`.
 */
export function planHosts(current: ReadonlyMap<string, Target>, wanted: Wanted): HostChange[] {
  for (const host of wanted.assign.keys()) {
    if (!isHostName(host)) throw unknownHost(host, 'it is not a host name in lower case')
  }
  for (const host of wanted.remove) {
    if (!current.has(host)) throw unknownHost(host, 'the current release does not have it')
    if (wanted.assign.has(host)) throw unknownHost(host, 'it is to be removed and to be changed')
  }
  const hosts = [...new Set([...current.keys(), ...wanted.assign.keys()])].sort()
  const plan = hosts.map(host => planHost(host, current.get(host)?.system, wanted))
  if (plan.some(({ change }) => change !== 'removed')) return plan
  throw unknownHost('', 'the release would have no host; name one with HOST=SYSTEM')
}

function planHost(host: string, from: StorePath | undefined, wanted: Wanted): HostChange {
  if (wanted.remove.includes(host)) return { host, change: 'removed', ...(from && { from }) }
  const to = wanted.assign.get(host) ?? wanted.all ?? (from as StorePath)
  if (from === undefined) return { host, change: 'new', to }
  return { host, change: from === to ? 'unchanged' : 'changed', from, to }
}

/** The same for two whole releases. */
export function compareHosts(
  before: ReadonlyMap<string, Target>,
  after: ReadonlyMap<string, Target>,
): HostChange[] {
  const assign = new Map([...after].map(([host, { system }]) => [host, system]))
  const remove = [...before.keys()].filter(host => !after.has(host))
  return planHosts(before, { assign, remove })
}

/** One line for each host. */
export function formatChanges(changes: HostChange[]): string[] {
  const width = Math.max(0, ...changes.map(({ host }) => host.length))
  const short = (path: StorePath | undefined) => path?.slice(STORE_DIR.length + 1) ?? ''
  return changes.map(({ host, change, from, to }) => {
    const text = {
      new: `new        ${short(to)}`,
      unchanged: `unchanged  ${short(to)}`,
      removed: `removed    ${short(from)}`,
      changed: `changed    ${short(from)} → ${short(to)}`,
    }[change]
    return `${host.padEnd(width)}  ${text}`
  })
}

function unknownHost(host: string, is: string): UsageError {
  return new UsageError('unknown-host', `Cannot publish for "${host}": ${is}`)
}
