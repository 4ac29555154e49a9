/** The fleet in words, the same on the page and in the terminal. */
import type { Overview } from './fleet.ts'
import type { HostView, RolloutView } from './views.ts'

/** Worse ones come first: they need somebody. */
const order = ['Degraded', 'Offline', 'Unknown', 'Progressing', 'Healthy'] as const

/** How the fleet is, in one sentence, or two when somebody is missing. */
export function sentenceOf({ hosts, rollouts }: Pick<Overview, 'hosts' | 'rollouts'>): string {
  if (hosts.length === 0) return 'No host is enrolled yet.'
  const held = hosts.filter(host => host.phase === 'Held').map(host => host.name)
  if (held.length > 0) return `${namesOf(held)} ${verb(held.length, 'needs', 'need')} a person.`
  const main = mainClause(hosts, currentRollout(rollouts))
  const offline = hosts.filter(host => host.health === 'Offline').map(host => host.name)
  if (offline.length === 0) return main
  return `${main} ${namesOf(offline)} ${verb(offline.length, 'is', 'are')} offline.`
}

function mainClause(hosts: HostView[], rollout: RolloutView | undefined): string {
  const reachable = hosts.filter(host => host.health !== 'Offline')
  const degraded = reachable.filter(host => host.health === 'Degraded').map(host => host.name)
  if (rollout?.outcome === 'Progressing') {
    const { Committed: done = 0, RolledBack: back = 0 } = rollout.counts
    const backText = back > 0 ? `, and ${back} went back` : ''
    const share = `${done} of ${counted(rollout)} have it`
    return `${releaseName(rollout)} is rolling out: ${share}${backText}.`
  }
  if (rollout?.outcome === 'Failed') {
    const { RolledBack: back = 0 } = rollout.counts
    const self = verb(back, 'itself', 'themselves')
    return `${releaseName(rollout)} failed: ${back} of ${counted(rollout)} went back by ${self}.`
  }
  if (degraded.length > 0) {
    return `${namesOf(degraded)} ${verb(degraded.length, 'is', 'are')} degraded.`
  }
  const healthy = reachable.every(host => host.health === 'Healthy' && host.sync === 'Synced')
  const release = rollout
    ? ` and ${verb(reachable.length, 'runs', 'run')} ${releaseName(rollout).toLowerCase()}`
    : ''
  if (healthy && reachable.length > 0) return `${all(reachable.length)} healthy${release}.`
  return `${equationOf(hosts)}.`
}

/** Every number is one side of a sum: `5 hosts = 3 healthy + 2 offline`. */
export function equationOf(hosts: HostView[]): string {
  const parts = order.map(health => {
    const count = hosts.filter(host => host.health === health).length
    return count > 0 ? [`${count} ${health.toLowerCase()}`] : []
  })
  return `${hostCount(hosts.length)} = ${parts.flat().join(' + ') || '0'}`
}

export function worstFirst(hosts: HostView[]): HostView[] {
  const rank = (host: HostView) => (host.phase === 'Held' ? -1 : order.indexOf(host.health))
  return hosts.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
}

/** What is going on now, or went on last. */
export function currentRollout(rollouts: RolloutView[]): RolloutView | undefined {
  const open = rollouts.filter(rollout => rollout.outcome !== 'Superseded')
  return open.toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1))[0]
}

/** `Release 4`; the epoch only shows once there has been a second one. */
export function releaseName({ epoch, version }: { epoch: number; version: number }): string {
  return `Release ${epoch > 1 ? `${epoch}.` : ''}${version}`
}

/** The 32 characters of a store path say it all; eight tell two apart. */
export function shortSystem(path: string | undefined): string {
  return /^\/nix\/store\/([0-9a-z]{8})/.exec(path ?? '')?.[1] ?? '–'
}

/** A length of time as people say it: `42 s`, `7 min`, `3 h`, `12 d`. */
export function lengthOf(seconds: number): string {
  if (seconds < 10) return `${Math.max(0, Math.round(seconds * 10) / 10)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

function counted(rollout: RolloutView): string {
  return hostCount(rollout.hosts.length - (rollout.counts.Offline ?? 0))
}

function hostCount(count: number): string {
  return `${count} ${verb(count, 'host', 'hosts')}`
}

function all(count: number): string {
  return count === 1 ? 'The one host is' : `All ${count} hosts are`
}

function verb(count: number, one: string, many: string): string {
  return count === 1 ? one : many
}

function namesOf(names: string[]): string {
  if (names.length > 3) return `${names.length} hosts`
  return names.join(names.length === 2 ? ' and ' : ', ')
}
