import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Root, SignedDocument } from '../../../agent/codec/documents.ts'
import { encodeRoot } from '../../../agent/codec/root.ts'
import { namespaces } from '../../../agent/codec/sshsig.ts'
import { accept, ReleaseRefusedError } from '../../../agent/trust/accept.ts'
import {
  type ChainInput,
  digestOf,
  extendChain,
  soundBeginning,
} from '../../../agent/trust/root-chain.ts'
import {
  armorOf,
  at,
  firstRoot,
  floorAfter,
  inputOf,
  NOW,
  pinOf,
  releaseKey,
  releaseOf,
  role,
  rootKey,
  rootOf,
  type Signer,
  signed,
  signedRelease,
  signedRoot,
  signer,
  signRootBytes,
} from '../../support/fleet.ts'

const newRootKey = signer(11)

function chainOf(changes: Partial<ChainInput> = {}): ChainInput {
  const base = { pin: pinOf(firstRoot), trusted: [firstRoot], roots: [], fleet: 'demo' }
  return { ...base, ...changes }
}

/** Version 2 with its root key exchanged for another. */
function exchanged(changes: Partial<Root> = {}): Root {
  const roles = { ...rootOf().roles, root: role(1, newRootKey) }
  return rootOf({ version: 2, roles, ...changes })
}

function longChain(length: number): SignedDocument[] {
  return Array.from({ length }, (_, index) => signedRoot(rootOf({ version: index + 2 }), rootKey))
}

test('of a stored chain, what comes before the damage is kept', () => {
  const chain = [firstRoot, ...longChain(3)]
  const damage = (at: number, part: 'bytes' | 'signatures') =>
    chain.map((root, index) => (index === at ? { ...root, [part]: root[part].subarray(9) } : root))
  assert.equal(soundBeginning(pinOf(firstRoot), chain).length, 4)
  assert.equal(soundBeginning(pinOf(firstRoot), damage(0, 'bytes')).length, 0)
  assert.equal(soundBeginning(pinOf(firstRoot), damage(2, 'bytes')).length, 2)
  assert.equal(soundBeginning(pinOf(firstRoot), damage(3, 'signatures')).length, 3)
})

test('starts from the root that the seed pins, and from no other', () => {
  assert.equal(extendChain(chainOf({ trusted: [], roots: [firstRoot] })).root.version, 1)
  const other = signedRoot(rootOf({ expires: at(400) }), rootKey)
  for (const wrong of [[], [other]]) {
    assert.throws(() => extendChain(chainOf({ trusted: [], roots: wrong })), { code: 'pin' })
    assert.throws(() => extendChain(chainOf({ trusted: wrong })), { code: 'pin' })
  }
  const pin = { ...pinOf(firstRoot), version: 2 }
  assert.throws(() => extendChain(chainOf({ pin })), { code: 'pin' })
})

test('verifies the persisted chain again on every start', () => {
  const second = signedRoot(exchanged(), rootKey, newRootKey)
  assert.equal(extendChain(chainOf({ trusted: [firstRoot, second] })).root.version, 2)
  const forged = signedRoot(exchanged({ epoch: 2 }), newRootKey)
  assert.throws(() => extendChain(chainOf({ trusted: [firstRoot, forged] })), { code: 'quorum' })
})

test('H07 refuses a root with an impossible threshold', () => {
  const raw = (threshold: unknown) => {
    const object = JSON.parse(encodeRoot(rootOf({ version: 2 })).toString())
    object.roles.release.threshold = threshold
    return signRootBytes(Buffer.from(JSON.stringify(object)), rootKey)
  }
  for (const threshold of [0, -1, 1.5, '1', null, 2, 1e300, true, []]) {
    const roots = [raw(threshold)]
    assert.throws(() => accept(inputOf({ roots })), { code: 'threshold' }, String(threshold))
  }
  assert.equal(accept(inputOf({ roots: [raw(1)] })).root.version, 2)
})

test('H06 refuses a root that lists one key twice, in any spelling', () => {
  const twice = (...keys: string[]) => {
    const roles = { ...rootOf().roles, release: { threshold: 2, keys } }
    return signedRoot(rootOf({ version: 2, roles }), rootKey)
  }
  const { line } = releaseKey
  for (const again of [line, `${line} with a comment`, ` ${line.replace(' ', '\t')}`]) {
    assert.throws(() => accept(inputOf({ roots: [twice(line, again)] })), { code: 'threshold' })
  }
  const roots = [twice(line, signer(4).line)]
  const release = signedRelease(releaseOf(), releaseKey, signer(4))
  assert.equal(accept(inputOf({ roots, release })).root.version, 2)
})

test('H23 refuses a root signed only by its new keys, or only by the old ones', () => {
  const offer = (...by: Signer[]) => chainOf({ roots: [signedRoot(exchanged(), ...by)] })
  assert.throws(() => extendChain(offer(newRootKey)), { code: 'quorum' })
  assert.throws(() => extendChain(offer(rootKey)), { code: 'quorum' })
  assert.throws(() => extendChain(offer(releaseKey)), { code: 'quorum' })
  assert.equal(extendChain(offer(rootKey, newRootKey)).root.version, 2)
})

test('H23 counts the threshold of each side on its own', () => {
  const keys = [signer(21), signer(22), signer(23)] as const
  const roles = { ...rootOf().roles, root: role(2, ...keys) }
  const next = rootOf({ version: 2, roles })
  const offer = (...by: Signer[]) => chainOf({ roots: [signedRoot(next, ...by)] })
  assert.throws(() => extendChain(offer(rootKey, keys[0])), { code: 'quorum' })
  assert.equal(extendChain(offer(rootKey, keys[0], keys[2])).root.version, 2)
})

test('H24 refuses a root that skips a version, and the same root again', () => {
  const third = signedRoot(rootOf({ version: 3 }), rootKey)
  assert.throws(() => extendChain(chainOf({ roots: [third] })), { code: 'root-version' })
  assert.throws(() => extendChain(chainOf({ roots: [firstRoot] })), { code: 'root-version' })
  const second = signedRoot(rootOf({ version: 2 }), rootKey)
  assert.equal(extendChain(chainOf({ roots: [second, third] })).root.version, 3)
})

test('H25 takes 64 roots in one go, keeps them, and goes on at the next', () => {
  const roots = longChain(65)
  const last = signer(12)
  const roles = { ...rootOf().roles, release: role(1, last) }
  roots[64] = signedRoot(rootOf({ version: 66, roles }), rootKey)
  const release = signedRelease(releaseOf(), last)
  let kept: SignedDocument[] = []
  assert.throws(
    () => accept(inputOf({ roots, release })),
    error => {
      assert.ok(error instanceof ReleaseRefusedError)
      assert.equal(error.code, 'quorum', 'the 66th root names the key')
      kept = error.roots
      return kept.length === 65
    },
  )
  const next = accept(inputOf({ trusted: kept, roots: roots.slice(64), release }))
  assert.equal(next.root.version, 66)
  assert.equal(next.moreRoots, false)
  const early = accept(inputOf({ roots }))
  assert.equal(early.root.version, 65)
  assert.equal(early.moreRoots, true)
})

test('H26 refuses an epoch that goes back', () => {
  const second = signedRoot(rootOf({ version: 2, epoch: 2 }), rootKey)
  const back = signedRoot(rootOf({ version: 3, epoch: 1 }), rootKey)
  const on = signedRoot(rootOf({ version: 3, epoch: 2 }), rootKey)
  assert.throws(() => extendChain(chainOf({ roots: [second, back] })), { code: 'rollback' })
  assert.equal(extendChain(chainOf({ roots: [second, on] })).root.version, 3)
})

test('H17 lets the root quorum overrule what a stolen release key has spent', () => {
  const spent = signedRelease(
    releaseOf({ version: 9e15, issued: at(3650), expires: at(3660) }),
    releaseKey,
  )
  const floor = floorAfter(spent)
  assert.equal(floor.version, 9e15)
  const fresh = signer(12)
  const roles = { ...rootOf().roles, release: role(1, fresh) }
  const roots = [signedRoot(rootOf({ version: 2, epoch: 2, roles }), rootKey)]
  const release = signedRelease(releaseOf({ epoch: 2, version: 1 }), fresh)
  const accepted = accept(inputOf({ floor, roots, release }))
  assert.equal(accepted.news, 'newer')
  const after = { floor: accepted.floor, trusted: accepted.roots }
  const stolen = signedRelease(releaseOf({ version: 9e15 + 1 }), releaseKey)
  assert.throws(() => accept(inputOf({ ...after, release: spent })), { code: 'quorum' })
  assert.throws(() => accept(inputOf({ ...after, release: stolen })), { code: 'quorum' })
  const resigned = signedRelease(releaseOf({ version: 9e15 }), fresh)
  assert.throws(() => accept(inputOf({ ...after, release: resigned })), { code: 'rollback' })
  const ahead = signedRelease(releaseOf({ epoch: 3 }), fresh)
  assert.throws(() => accept(inputOf({ ...after, release: ahead })), { code: 'version' })
  assert.equal(accepted.floor.time, NOW - 24 * 3600 * 1000, 'the false future is forgotten')
})

test('H17 refuses a release of an epoch that is over, on a new host too', () => {
  const roots = [signedRoot(rootOf({ version: 2, epoch: 2 }), rootKey)]
  assert.throws(() => accept(inputOf({ roots })), { code: 'rollback' })
  const release = signedRelease(releaseOf({ epoch: 2, version: 1 }), releaseKey)
  assert.equal(accept(inputOf({ roots, release })).news, 'newer')
})

test('keeps a root that revokes a key, though the release is still signed by that key', () => {
  const roles = { ...rootOf().roles, release: role(1, signer(12)) }
  const roots = [signedRoot(rootOf({ version: 2, roles }), rootKey)]
  assert.throws(
    () => accept(inputOf({ roots })),
    error => error instanceof ReleaseRefusedError && error.roots.length === 2,
  )
  assert.equal(accept(inputOf()).root.version, 1)
})

test('refuses a chain that lost a root this host already trusted, or had it exchanged', () => {
  const roots = [signedRoot(rootOf({ version: 2 }), rootKey)]
  const { floor } = accept(inputOf({ roots }))
  assert.throws(() => extendChain(chainOf({ floor })), { code: 'rollback' })
  const other = signedRoot(rootOf({ version: 2, expires: at(9) }), rootKey)
  assert.throws(() => extendChain(chainOf({ floor, roots: [other] })), { code: 'equivocation' })
  assert.equal(extendChain(chainOf({ floor, roots })).digest, digestOf(roots[0]!))
})

test('H18 refuses a root of another fleet', () => {
  const foreign = signedRoot(rootOf({ fleet: 'other' }), rootKey)
  assert.throws(() => extendChain(chainOf({ pin: pinOf(foreign), trusted: [foreign] })), {
    code: 'other-fleet',
  })
  const renamed = signedRoot(rootOf({ fleet: 'other', version: 2 }), rootKey)
  assert.throws(() => extendChain(chainOf({ roots: [renamed] })), { code: 'other-fleet' })
})

test('H04 refuses a root signed for another purpose', () => {
  const bytes = encodeRoot(rootOf({ version: 2 }))
  const wrong = signed(bytes, armorOf(bytes, rootKey, { namespace: namespaces.release }))
  assert.throws(() => extendChain(chainOf({ roots: [wrong] })), { code: 'quorum' })
  const right = signed(bytes, armorOf(bytes, rootKey, { namespace: namespaces.root }))
  assert.equal(extendChain(chainOf({ roots: [right] })).root.version, 2)
})
