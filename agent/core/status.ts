import type { Phase, Rejection, SourceStatus, Status } from '../codec/report.ts'
import { atRest, type Problem, type State } from './state.ts'

/** What the shell knows beside the state. */
export type Facts = {
  fleet: string
  host: string
  channel: string
  sources: SourceStatus[]
  agentVersion: string
  /** Milliseconds since 1970, never before the newest proved time. */
  now: number
  /** A fault of the shell's own, such as a state that cannot be written. */
  trouble?: Problem
}

/** Everything that `status` prints and reports carry. */
export function statusOf(state: State, facts: Facts): Status {
  const { step, newest, committed, running, rejected, bootId } = state
  const { fleet, host, channel, sources, agentVersion, now } = facts
  const wanted = newest?.system
  const synced =
    wanted !== undefined && running === wanted && committed?.system === wanted && atRest(state)
  const stale = newest !== undefined && now > newest.expires
  const message = messageOf(state, facts, stale)
  return {
    fleet,
    host,
    channel,
    phase: step.phase satisfies Phase,
    ...(newest ? { release: newest.release, target: newest.system } : {}),
    ...(running ? { running } : {}),
    ...(committed ? { committed: committed.system, generation: committed.generation } : {}),
    synced,
    stale,
    health: healthOf(state, facts, synced),
    ...(message ? { message } : {}),
    rejected: rejected satisfies Rejection[],
    sources,
    bootId,
    agentVersion,
  }
}

function healthOf(state: State, { trouble }: Facts, synced: boolean): Status['health'] {
  const { phase } = state.step
  if (trouble !== undefined || phase === 'Held') return 'Degraded'
  if (phase === 'Reverted') return 'Degraded'
  if (!atRest(state)) return 'Progressing'
  if (state.newest === undefined) return 'Unknown'
  return synced ? 'Healthy' : 'Degraded'
}

function messageOf({ step, problem }: State, { trouble }: Facts, stale: boolean) {
  if (trouble !== undefined) return trouble.message
  if ('reason' in step) return step.reason.message
  if (problem !== undefined) return problem.message
  return stale ? 'The release has expired: nothing new is installed until a newer one' : undefined
}
