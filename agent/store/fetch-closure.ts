import { createHash } from 'node:crypto'
import { CLOSURE_BYTES_MAX, decodeClosure, type Manifest } from '../codec/closure.ts'
import { RejectedError } from '../codec/errors.ts'
import { Mirrors } from './mirrors.ts'
import { WorkerPool } from './worker-pool.ts'

export type FetchClosureRequest = {
  /** SHA-256 (hex) and length of the manifest, from a signed release. */
  digest: string
  size: number
  /** URLs of caches, best first: http(s):// or file://. */
  caches: string[]
  signal: AbortSignal
}

/**
 * Fetches a closure manifest. A mirror whose bytes are not those of the digest is passed over.
 * Errors: TransientError with the code of the last mirror's fault; RejectedError for a manifest
 * that is the right one and yet no manifest; the signal's reason.
 */
export async function fetchClosure(
  request: FetchClosureRequest,
): Promise<{ closure: Manifest; bytes: Buffer }> {
  const { digest, size, caches, signal } = request
  if (size > CLOSURE_BYTES_MAX) {
    const message = `Cannot fetch closure "${digest}": it is over ${CLOSURE_BYTES_MAX} bytes`
    throw new RejectedError('oversized', message)
  }
  const pool = new WorkerPool({ staging: '', narrowUmask: false, workers: 1, signal })
  try {
    const bytes = await new Mirrors(caches).first(`closures/${digest}`, signal, async mirror => {
      const name = `closures/${digest}.json`
      const fetched = await pool.call({ kind: 'get', mirror, name, bytesMax: size })
      return verified(Buffer.from(fetched), request, mirror)
    })
    return { closure: decodeClosure(bytes), bytes }
  } finally {
    await pool.close()
  }
}

function verified(bytes: Buffer, request: FetchClosureRequest, mirror: string): Buffer {
  const found = createHash('sha256').update(bytes).digest('hex')
  if (found === request.digest && bytes.length === request.size) return bytes
  throw new RejectedError(
    'closure-digest',
    `Cannot use the closure manifest from "${mirror}": its digest is ${found}`,
  )
}
