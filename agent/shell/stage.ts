import type { Candidate } from '../core/state.ts'
import { fetchClosure } from '../store/fetch-closure.ts'
import { realise } from '../store/realise.ts'
import type { Parts } from './parts.ts'

/** Progress is news at most this often. */
const PROGRESS_MS = 5_000

/**
 * Brings the candidate's whole closure into the store and roots it. What is registered there was
 * verified when it came, so an older path published again needs no cache.
 */
export async function stageCandidate(
  candidate: Candidate,
  { store, log, config }: Parts,
  signal: AbortSignal,
): Promise<void> {
  const { system, closure: digest, closureSize: size, caches } = candidate
  if (!store.has(system)) {
    const { closure } = await fetchClosure({ digest, size, caches, signal })
    let toldAt = performance.now()
    const { workers, reserveBytes } = config.fetch
    await realise({
      ...{ store, closure, caches, signal, workers, reserveBytes },
      onProgress: progress => {
        if (performance.now() - toldAt < PROGRESS_MS) return
        toldAt = performance.now()
        log.info({ event: 'fetch.progress', system, ...progress })
      },
    })
  }
  store.setRoot('staged', system)
}
