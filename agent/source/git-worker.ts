/**
 * A short-lived process that fetches one commit with isomorphic-git and hands back the documents in
 * it. What is heavy to load, and what parses whatever a server sends, lives and dies in here: the
 * parent watches its memory and time, and Node's permissions let it write to its scratch only.
 */
import { HoldfastError, messageOf, TransientError } from '../codec/errors.ts'
import type { FetchOrder, FetchOutcome } from './git-order.ts'

async function perform(order: FetchOrder): Promise<FetchOutcome> {
  try {
    const { fetchDocuments } = await import('./git-fetch.ts')
    return { kind: 'fetched', ...(await fetchDocuments(order)) }
  } catch (error) {
    const known = error instanceof HoldfastError ? error : unknown(order, error)
    const { code, message } = known
    return { kind: 'failed', rejected: known.kind === 'rejected', code, message }
  }
}

function unknown({ url }: FetchOrder, error: unknown): HoldfastError {
  return new TransientError('git', `Cannot fetch "${url}": ${messageOf(error)}`)
}

process.once('message', async order => {
  const outcome = await perform(order as FetchOrder)
  process.send?.(outcome, () => process.disconnect())
})
