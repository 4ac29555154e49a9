import type { Role, SignedDocument } from '../codec/documents.ts'
import { messageOf, RejectedError } from '../codec/errors.ts'
import { fingerprint, parsePublicKey } from '../codec/ssh-key.ts'
import { parseSshsig, signedBytes, splitArmors } from '../codec/sshsig.ts'
import { verifyEd25519 } from './ed25519.ts'

/** What became of one signature: the key it counts for, or why it does not count. */
export type Verdict = { key: string } | { reason: string }

export type Tally = {
  /** Lines of the distinct keys of the role whose signatures count. */
  keys: Set<string>
  /** One for each signature that was looked at, in order. */
  verdicts: Verdict[]
}

export type QuorumOptions = {
  role: Role
  /** One of `namespaces`: a signature for another purpose does not count. */
  namespace: string
  /** What is signed, for messages, such as `release.json`. */
  what: string
}

type CountOptions = Pick<QuorumOptions, 'role' | 'namespace'> & {
  /** Look no further once this many keys count. */
  enough?: number
}

/**
 * Counts the distinct keys of the role that signed the exact bytes. At most SIGNATURES_MAX
 * signatures are looked at, and bad ones beside good ones do no harm.
 */
export function countSignatures(
  { bytes, signatures }: SignedDocument,
  { role, namespace, enough = Number.POSITIVE_INFINITY }: CountOptions,
): Tally {
  const allowed = new Set(role.keys.map(key => parsePublicKey(key).line))
  const keys = new Set<string>()
  const verdicts: Verdict[] = []
  for (const armor of splitArmors(signatures)) {
    if (keys.size >= enough) break
    const verdict = judge(armor, { bytes, allowed, namespace })
    if ('key' in verdict) keys.add(verdict.key)
    verdicts.push(verdict)
  }
  return { keys, verdicts }
}

/** Errors: RejectedError `quorum`, whose message says why each signature did not count. */
export function requireQuorum(document: SignedDocument, options: QuorumOptions): void {
  const { role, namespace, what } = options
  const enough = role.threshold
  const { keys, verdicts } = countSignatures(document, { role, namespace, enough })
  if (keys.size >= enough) return
  const reasons = verdicts.flatMap(verdict => ('reason' in verdict ? [verdict.reason] : []))
  const is = `${keys.size} of ${enough} signatures count`
  throw new RejectedError('quorum', `Cannot trust "${what}": ${is}${explain(reasons)}`)
}

type Question = { bytes: Buffer; allowed: Set<string>; namespace: string }

function judge(armor: string, { bytes, allowed, namespace }: Question): Verdict {
  try {
    const signature = parseSshsig(armor)
    const { publicKey } = signature
    if (!allowed.has(publicKey.line)) {
      return { reason: `the key ${fingerprint(publicKey)} is not one of the role` }
    }
    if (signature.namespace !== namespace) {
      return { reason: `its namespace is not ${namespace}` }
    }
    const message = signedBytes(bytes, signature)
    if (!verifyEd25519(message, signature.signature, publicKey.point)) {
      return { reason: `the signature by ${fingerprint(publicKey)} is not of these bytes` }
    }
    return { key: publicKey.line }
  } catch (error) {
    if (error instanceof RejectedError) return { reason: messageOf(error) }
    throw error
  }
}

/** The first few different reasons: enough to act on, short enough to read. */
function explain(reasons: string[]): string {
  const different = [...new Set(reasons)]
  if (different.length === 0) return ''
  const more = different.length > 3 ? `; and ${different.length - 3} more reasons` : ''
  return ` (${different.slice(0, 3).join('; ')}${more})`
}
