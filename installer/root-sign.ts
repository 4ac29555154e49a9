import { readFileSync } from 'node:fs'
import { UsageError } from '../agent/codec/errors.ts'
import { fingerprint, parsePublicKey } from '../agent/codec/ssh-key.ts'
import { namespaces, parseSshsig, splitArmors } from '../agent/codec/sshsig.ts'
import type { RootFile } from './root-files.ts'
import { addSignatures, signDocument, verifyArmor } from './sign-document.ts'

export type RootSigning = {
  /** Keys to sign with now. */
  keys: string[]
  /** Files with signatures made elsewhere, such as by `ssh-keygen -Y sign -n holdfast-root`. */
  signatureFiles: string[]
}

/**
 * The root at `index` with more signatures, every one of which counts: made for these bytes, for
 * this purpose, by a root key of this root or of the one before it. Errors: UsageError `signature`.
 */
export function signRoot(roots: RootFile[], index: number, signing: RootSigning): RootFile {
  const file = roots[index]!
  const { bytes } = file
  const namespace = namespaces.root
  const made = signing.keys.map(keyFile => signDocument({ bytes, namespace, keyFile }))
  const armors = [...made, ...signing.signatureFiles.flatMap(readArmors)]
  const counting = new Set(
    [file, roots[index - 1]].flatMap(each => each?.root.roles.root.keys ?? []),
  )
  for (const armor of armors) {
    verifyArmor({ bytes, namespace, armor })
    const { publicKey } = parseSshsig(armor)
    if (counting.has(publicKey.line)) continue
    const known = [...counting].map(key => fingerprint(parsePublicKey(key))).join(', ')
    const is = `the key ${fingerprint(publicKey)} is no root key (${known})`
    throw new UsageError('signature', `Cannot sign "${file.path}": ${is}`)
  }
  return { ...file, ...addSignatures(file, armors) }
}

/** The armors of a signature file. Errors: UsageError `signature` when it holds none. */
export function readArmors(path: string): string[] {
  const armors = splitArmors(readFileSync(path))
  if (armors.length > 0) return armors
  throw new UsageError('signature', `Cannot use "${path}": it holds no SSH signature`)
}
