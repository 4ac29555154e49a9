/**
 * Fetches one closure into the store. In a process of its own: what the transfer loads and buffers
 * is gone when it has ended, and giving up is ending it. What staging holds by then is used by the
 * next one.
 */
import { codeOf, HostError, messageOf, RejectedError } from '../codec/errors.ts'
import { fetchClosure } from '../store/fetch-closure.ts'
import { openStore } from '../store/open-store.ts'
import { realise } from '../store/realise.ts'
import { answerOnce } from './one-shot.ts'
import type { StageAnswer, StageRequest } from './stage.ts'

answerOnce(async (request: StageRequest, onProgress): Promise<StageAnswer> => {
  try {
    await stage(request, onProgress)
    return {}
  } catch (error) {
    return { failed: { cause: causeOf(error), code: codeOf(error), message: messageOf(error) } }
  }
})

async function stage(request: StageRequest, onProgress: (progress: object) => void): Promise<void> {
  const { prefix, candidate, workers, reserveBytes } = request
  const { closure: digest, closureSize: size, caches } = candidate
  const { signal } = new AbortController()
  const { closure } = await fetchClosure({ digest, size, caches, signal })
  const store = openStore(prefix)
  try {
    await realise({ store, closure, caches, signal, workers, reserveBytes, onProgress })
  } finally {
    store.close()
  }
}

function causeOf(error: unknown): 'rejected' | 'transient' | 'host' {
  if (error instanceof RejectedError) return 'rejected'
  return error instanceof HostError ? 'host' : 'transient'
}
