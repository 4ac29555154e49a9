import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, messageOf } from '../codec/errors.ts'
import type { Effect, EffectKind } from '../core/effect.ts'
import type { Event } from '../core/event.ts'
import { activationResult, startActivation, stopActivation } from '../system/activation.ts'
import { type Baseline, takeBaseline } from '../system/baseline.ts'
import { runProbes } from '../system/probes.ts'
import { commitProfile, readProfile } from '../system/profile.ts'
import { runningSystem } from '../system/running.ts'
import type { Parts } from './parts.ts'
import { stageCandidate } from './stage.ts'
import { tidy } from './tidy.ts'

/** `Omit` that keeps the members of a union apart. */
type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never
/** An event before the loop gives it its time. */
export type Said = Without<Event, 'at'>

type EffectOf<K extends EffectKind> = Extract<Effect, { kind: K }>
type Perform<K extends EffectKind> = (
  effect: EffectOf<K>,
  parts: Parts,
  signal: AbortSignal,
) => Promise<Said | undefined>

/** The kinds that the loop performs itself, since they are about its own timers and polls. */
export type LoopEffect = 'setDeadline' | 'scheduleRetry' | 'poll'
export type WorldEffect = Exclude<EffectKind, LoopEffect>

/** Every effect on the world: idempotent, and answered by the event that it returns. */
export const performers: { [K in WorldEffect]: Perform<K> } = {
  stage,
  lock,
  measure,
  activate,
  awaitActivation,
  probe,
  commit,
  revert,
  tidy: async (_, parts) => tidy(parts),
}

const RESULT_POLL_MS = 200

async function stage(
  { candidate }: EffectOf<'stage'>,
  parts: Parts,
  signal: AbortSignal,
): Promise<Said> {
  const key = candidate.digest
  try {
    const { failed } = await stageCandidate(candidate, parts, signal)
    return failed ? { kind: 'stageFailed', key, ...failed } : { kind: 'staged', key }
  } catch (error) {
    signal.throwIfAborted()
    // The worker is gone, or the root could not be written: this host's fault, for now.
    const [code, message] = [codeOf(error), messageOf(error)]
    return { kind: 'stageFailed', key, cause: 'host', code, message }
  }
}

/** Nobody rations turns yet: every host may switch as soon as it is ready. */
async function lock({ key }: EffectOf<'lock'>): Promise<Said> {
  return { kind: 'locked', key }
}

async function measure({ goal }: EffectOf<'measure'>, parts: Parts): Promise<Said> {
  const { places, poller } = parts
  try {
    const baseline = await takeBaseline({ prefix: places.prefix, sources: poller.reached })
    return { kind: 'measured', key: goal.key, baseline }
  } catch (error) {
    return { kind: 'delayed', key: goal.key, code: codeOf(error), message: messageOf(error) }
  }
}

async function activate(
  { attempt, deadlineMs }: EffectOf<'activate'>,
  { places: { prefix } }: Parts,
): Promise<Said> {
  const { id, goal } = attempt
  const deadlineSeconds = deadlineMs / 1000
  const start = { prefix, system: goal.system, attempt: id, deadlineSeconds }
  try {
    await startActivation({ ...start, action: 'test' })
    return { kind: 'activating', attempt: id }
  } catch (error) {
    return { kind: 'activationLost', attempt: id, message: messageOf(error) }
  }
}

async function awaitActivation(
  { attempt }: EffectOf<'awaitActivation'>,
  { places: { prefix } }: Parts,
  signal: AbortSignal,
): Promise<Said> {
  const result = await resultOf(prefix, attempt, signal)
  if (result.state === 'done') {
    const { exitCode, output } = result
    return { kind: 'activationDone', attempt, exitCode, output }
  }
  const message = `Cannot find the activation "${attempt}": it ended without a result`
  return { kind: 'activationLost', attempt, message }
}

async function resultOf(prefix: string, attempt: string, signal: AbortSignal) {
  for (;;) {
    const result = await activationResult({ prefix, attempt })
    if (result.state !== 'running') return result
    await sleep(RESULT_POLL_MS, undefined, { signal })
  }
}

/** What runs is looked at first: a person may have switched by hand since the activation. */
async function probe(
  { attempt, round, system, baseline: json, delayMs }: EffectOf<'probe'>,
  { places: { prefix }, poller }: Parts,
  signal: AbortSignal,
): Promise<Said> {
  await sleep(delayMs, undefined, { signal })
  const running = runningSystem(prefix)
  if (running !== system) {
    const message = `Cannot probe "${system}": "${running ?? 'nothing'}" runs`
    return {
      kind: 'probed',
      attempt,
      round,
      healthy: false,
      failures: [{ code: 'drift', message }],
    }
  }
  const baseline = json as Baseline
  const checkSource = () => poller.reachable(baseline.reachableSources, signal)
  const { healthy, failures } = await runProbes({ prefix, system, baseline, checkSource, signal })
  return { kind: 'probed', attempt, round, healthy, failures }
}

async function commit(
  { attempt, system }: EffectOf<'commit'>,
  { places: { prefix }, store, trust }: Parts,
): Promise<Said> {
  try {
    const previous = readProfile(prefix)
    if (previous !== undefined && previous.system !== system) {
      store.setRoot('previous', previous.system)
    }
    store.setRoot('current', system)
    const generation = commitProfile(prefix, system)
    trust.copyFloor()
    return { kind: 'committed', attempt, generation }
  } catch (error) {
    return { kind: 'commitFailed', attempt, code: codeOf(error), message: messageOf(error) }
  }
}

/**
 * Ends the attempt's own activation, re-activates the recorded path as an activation of its own
 * name, and moves the profile back where it was moved already.
 */
async function revert(
  { attempt, to, deadlineMs }: EffectOf<'revert'>,
  { places: { prefix } }: Parts,
  signal: AbortSignal,
): Promise<Said> {
  const back = `${attempt}-back`
  const deadlineSeconds = deadlineMs / 1000
  try {
    await stopActivation({ prefix, attempt })
    await startActivation({ prefix, system: to, attempt: back, action: 'test', deadlineSeconds })
    const result = await resultOf(prefix, back, signal)
    if (result.state !== 'done' || result.exitCode !== 0) {
      const how = result.state === 'done' ? `exit code ${result.exitCode}` : 'it is lost'
      const message = `Cannot go back to "${to}": ${how}`
      return { kind: 'reverted', attempt, ok: false, message }
    }
    if (readProfile(prefix) !== undefined) commitProfile(prefix, to)
    const profile = readProfile(prefix)
    const end = { kind: 'reverted', attempt, ok: true, message: '' } as const
    return profile === undefined ? end : { ...end, profile }
  } catch (error) {
    return { kind: 'reverted', attempt, ok: false, message: messageOf(error) }
  }
}
