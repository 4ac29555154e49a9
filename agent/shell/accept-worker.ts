/**
 * Verifies one release in a process of its own: the signature library, or a thread for it, leaves
 * some 15 MiB behind where it has run, and releases are rare.
 */
import { HoldfastError } from '../codec/errors.ts'
import { type AcceptInput, accept, ReleaseRefusedError } from '../trust/accept.ts'
import { soundBeginning } from '../trust/root-chain.ts'
import type { Verdict } from './accept-release.ts'
import { answerOnce } from './one-shot.ts'

function verdictOf(request: AcceptInput): Verdict {
  const sound = soundBeginning(request.pin, request.trusted).length
  if (sound < request.trusted.length) return { kind: 'damaged', sound }
  try {
    const { release, root, ...rest } = accept(request)
    const { epoch, version, caches } = release
    const expires = Math.min(Date.parse(release.expires), Date.parse(root.expires))
    return { kind: 'accepted', ...rest, release: { epoch, version }, caches, expires }
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.kind === 'transient') throw error
    const { code, message, next, kind } = error
    const refused = { kind: 'refused', by: kind, code, message, next } as const
    return error instanceof ReleaseRefusedError ? { ...refused, roots: error.roots } : refused
  }
}

answerOnce(verdictOf)
