import type { Candidate } from '../core/state.ts'
import { isWhole } from '../store/whole.ts'
import { askOnce } from './one-shot.ts'
import type { Parts } from './parts.ts'

export type StageRequest = {
  prefix: string
  candidate: Candidate
  workers: number
  reserveBytes: number
}

/** Empty when the closure is there. */
export type StageAnswer = {
  failed?: { cause: 'rejected' | 'transient' | 'host'; code: string; message: string }
}

/** Progress is news at most this often. */
const PROGRESS_MS = 5_000
/** A closure over a slow line takes hours; the worker itself gives up where nothing comes. */
const STAGE_MS_MAX = 24 * 3600 * 1000

/**
 * Brings the candidate's whole closure into the store and roots it. What is registered there was
 * verified when it came, so an older path published again needs no cache.
 */
export async function stageCandidate(
  candidate: Candidate,
  parts: Parts,
  signal: AbortSignal,
): Promise<StageAnswer> {
  const { store } = parts
  const there = isWhole(store, candidate.system)
  const answer = there ? {} : await fetch(candidate, parts, signal)
  if (answer.failed === undefined) store.setRoot('staged', candidate.system)
  return answer
}

async function fetch(
  candidate: Candidate,
  { places: { prefix }, config, log }: Parts,
  signal: AbortSignal,
): Promise<StageAnswer> {
  const request: StageRequest = { prefix, candidate, ...config.fetch }
  let toldAt = performance.now()
  const onProgress = (progress: object) => {
    if (performance.now() - toldAt < PROGRESS_MS) return
    toldAt = performance.now()
    log.info({ event: 'fetch.progress', system: candidate.system, ...progress })
  }
  const asked = { worker: 'stage-worker', request, msMax: STAGE_MS_MAX, signal, onProgress }
  return (await askOnce(asked)) as StageAnswer
}
