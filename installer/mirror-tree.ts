import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { SignedDocument } from '../agent/codec/documents.ts'
import { UsageError } from '../agent/codec/errors.ts'
import { namespaces, SIGNATURES_MAX, splitArmors } from '../agent/codec/sshsig.ts'
import { writeDurably } from '../agent/files/durable.ts'
import { releasePath, rootPath, signaturesPath } from '../agent/source/release-tree.ts'
import type { RootFile } from './root-files.ts'
import { verifyArmor } from './sign-document.ts'

export type ReleaseTree = { channel: string; roots: RootFile[]; release: SignedDocument }

/**
 * Lays the release tree beside the cache, for hosts that read releases over HTTP. Two files change
 * that belong together, and a web server hands them out one by one. So the signatures of the
 * release before stay in the file, and the file is written first: whoever reads release.json and
 * then its signatures finds one that counts, whichever of the two they got.
 */
export function mirrorTree(directory: string, { channel, roots, release }: ReleaseTree): void {
  for (const { root, bytes, signatures } of roots) {
    const path = join(directory, rootPath(root.version))
    // A reader that sees a root asks for its signatures next.
    replace(signaturesPath(path), signatures)
    replace(path, bytes)
  }
  const path = join(directory, releasePath(channel))
  const before = readOr(path)
  const kept = before === undefined || before.equals(release.bytes) ? [] : armorsOf(path, before)
  const own = splitArmors(release.signatures)
  const armors = [...own, ...kept].slice(0, SIGNATURES_MAX)
  replace(signaturesPath(path), Buffer.from(armors.map(armor => `${armor.trim()}\n`).join('')))
  replace(path, release.bytes)
}

/** The signatures that are of the bytes beside them; those of an even older release go. */
function armorsOf(path: string, bytes: Buffer): string[] {
  const signatures = readOr(signaturesPath(path)) ?? Buffer.alloc(0)
  return splitArmors(signatures).filter(armor => {
    try {
      verifyArmor({ bytes, namespace: namespaces.release, armor })
      return true
    } catch (error) {
      if (error instanceof UsageError) return false
      throw error
    }
  })
}

function replace(path: string, bytes: Buffer): void {
  if (readOr(path)?.equals(bytes)) return
  mkdirSync(dirname(path), { recursive: true })
  writeDurably(path, bytes, 0o644)
}

function readOr(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined
}
