import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeRelease } from '../../agent/codec/release.ts'
import { namespaces } from '../../agent/codec/sshsig.ts'
import { countSignatures } from '../../agent/trust/quorum.ts'
import { mirrorTree } from '../../installer/mirror-tree.ts'
import { armorOf, releaseKey, releaseOf, role, signed } from '../support/fleet.ts'
import { temporaryDirectory } from '../support/temporary.ts'

function releaseNumber(version: number) {
  const bytes = encodeRelease(releaseOf({ version }))
  return signed(bytes, armorOf(bytes, releaseKey))
}

test('the signatures beside a release count for the one before it too, and for none older', t => {
  const directory = temporaryDirectory(t)
  const releases = [1, 2, 3].map(releaseNumber)
  for (const release of releases) mirrorTree(directory, { channel: 'prod', roots: [], release })
  const path = join(directory, 'prod/release.json')
  const signatures = readFileSync(`${path}.sig`)
  assert.deepEqual(readFileSync(path), releases[2]?.bytes)
  const counts = releases.map(({ bytes }) => {
    const options = { role: role(1, releaseKey), namespace: namespaces.release }
    return countSignatures({ bytes, signatures }, options).keys.size
  })
  assert.deepEqual(counts, [0, 1, 1])
})
