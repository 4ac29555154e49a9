import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRelease } from '../../../agent/codec/release.ts'
import {
  encodeSshsig,
  namespaces,
  parseSshsig,
  SIGNATURES_MAX,
} from '../../../agent/codec/sshsig.ts'
import { type AcceptInput, accept } from '../../../agent/trust/accept.ts'
import { digestOf } from '../../../agent/trust/root-chain.ts'
import {
  armorOf,
  floorAfter,
  inputOf,
  operatorKey,
  rawRelease,
  releaseKey,
  releaseOf,
  role,
  rootKey,
  rootOf,
  signed,
  signedRelease,
  signedRoot,
  signer,
  signReleaseBytes,
  target,
} from '../../support/fleet.ts'

/** The control of every refusal here: the same input, less its one defect, is accepted. */
function refuses(code: string, bad: AcceptInput, good: AcceptInput): void {
  assert.equal(accept(good).news, 'newer')
  assert.throws(() => accept(bad), { kind: 'rejected', code })
}

const good = inputOf()
const bytes = encodeRelease(releaseOf())
const armor = armorOf(bytes, releaseKey)
const stranger = signer(99)
/** A host whose release role needs two of three. */
const second = signer(4)
const pair = rootOf({
  roles: {
    root: role(1, rootKey),
    release: role(2, releaseKey, second, signer(5)),
    operator: role(1, operatorKey),
  },
})
const trustedPair = [signedRoot(pair, rootKey)]

test('accepts a signed release, and says what to persist', () => {
  const accepted = accept(good)
  assert.deepEqual(accepted.target, target)
  assert.equal(accepted.digest, digestOf(good.release))
  assert.deepEqual(accepted.roots, good.trusted)
  assert.equal(accepted.floor.version, 7)
  assert.equal(accepted.floor.rootDigest, digestOf(good.trusted[0]!))
  assert.equal(accepted.floor.time, Date.parse(accepted.release.issued))
  assert.equal(accepted.stale, false)
})

test('H01 refuses no signature and junk, and looks at no more than 32 signatures', () => {
  const unsigned = [
    '',
    'junk',
    '-----BEGIN SSH SIGNATURE-----\njunk\n-----END SSH SIGNATURE-----\n',
    armor.slice(0, -40),
    armor.replace('BEGIN', 'BEGINN'),
  ]
  for (const signatures of unsigned) {
    refuses('quorum', inputOf({ release: signed(bytes, signatures) }), good)
  }
  const foreign = armorOf(bytes, stranger)
  const late = [...Array<string>(SIGNATURES_MAX).fill(foreign), armor]
  const last = [...Array<string>(SIGNATURES_MAX - 1).fill(foreign), armor]
  const inTime = inputOf({ release: signed(bytes, ...last) })
  refuses('quorum', inputOf({ release: signed(bytes, ...late) }), inTime)
  const many = signed(bytes, ...Array<string>(10_000).fill(armorOf(Buffer.from('x'), releaseKey)))
  refuses('quorum', inputOf({ release: many }), good)
})

test('H02 refuses a signature by an unknown key', () => {
  refuses('quorum', inputOf({ release: signedRelease(releaseOf(), stranger) }), good)
})

test('H03 refuses the signature of a root key on a release', () => {
  refuses('quorum', inputOf({ release: signedRelease(releaseOf(), rootKey) }), good)
  refuses('quorum', inputOf({ release: signedRelease(releaseOf(), operatorKey) }), good)
})

test('H04 refuses a signature made for another purpose', () => {
  for (const namespace of ['git', 'file', namespaces.root, namespaces.operator, '']) {
    const release = signed(bytes, armorOf(bytes, releaseKey, { namespace }))
    refuses('quorum', inputOf({ release }), good)
  }
})

test('H04 refuses a signature whose namespace was rewritten after signing', () => {
  const made = parseSshsig(armorOf(bytes, releaseKey, { namespace: 'git' }))
  const rewritten = encodeSshsig({ ...made, namespace: namespaces.release })
  refuses('quorum', inputOf({ release: signed(bytes, rewritten) }), good)
})

test('H05 refuses a release with any one byte changed', () => {
  assert.equal(accept(inputOf({ release: signed(bytes, armor) })).news, 'newer')
  for (let offset = 0; offset < bytes.length; offset += 37) {
    const changed = Buffer.from(bytes)
    changed[offset]! ^= 1
    const release = signed(changed, armor)
    assert.throws(() => accept(inputOf({ release })), { code: 'quorum' }, `byte ${offset}`)
  }
})

test('H06 counts one key once, however often it signs', () => {
  const twice = signed(bytes, armor, armorOf(bytes, releaseKey, { hash: 'sha256' }))
  const both = signed(bytes, armor, armorOf(bytes, second))
  refuses(
    'quorum',
    inputOf({ trusted: trustedPair, release: twice }),
    inputOf({ trusted: trustedPair, release: both }),
  )
})

test('H08 accepts a bad signature beside a good one', () => {
  const bad = armorOf(Buffer.from('other bytes'), releaseKey)
  const junk = '-----BEGIN SSH SIGNATURE-----\n'
  for (const before of [bad, junk, armorOf(bytes, stranger)]) {
    assert.equal(accept(inputOf({ release: signed(bytes, before, armor) })).news, 'newer')
  }
  assert.throws(() => accept(inputOf({ release: signed(bytes, bad, junk) })), { code: 'quorum' })
})

test('H09 refuses an older release, replayed', () => {
  const floor = floorAfter(good.release)
  const older = signedRelease(releaseOf({ version: 6 }), releaseKey)
  const newer = signedRelease(releaseOf({ version: 8 }), releaseKey)
  refuses('rollback', inputOf({ floor, release: older }), inputOf({ floor, release: newer }))
  assert.equal(accept(inputOf({ release: older })).news, 'newer', 'without a floor it is good')
})

test('H10 refuses a version that is not a whole number a double holds', () => {
  for (const version of ['1e300', '-1', '"6"', '9007199254740992', '0', '1.5', 'null']) {
    for (const field of ['version', 'epoch']) {
      if (field === 'epoch' && version === '0') continue
      const text = rawRelease({ [field]: 'HERE' })
        .toString()
        .replace('"HERE"', version)
      const release = signReleaseBytes(Buffer.from(text), releaseKey)
      assert.throws(() => accept(inputOf({ release })), { code: 'version' }, `${field} ${version}`)
    }
  }
  const largest = rawRelease({ version: Number.MAX_SAFE_INTEGER })
  assert.equal(accept(inputOf({ release: signReleaseBytes(largest, releaseKey) })).news, 'newer')
})

test('H12 refuses other bytes under the version it knows, and names both digests', () => {
  const floor = floorAfter(good.release)
  const other = signedRelease(releaseOf({ caches: [] }), releaseKey)
  assert.throws(
    () => accept(inputOf({ floor, release: other })),
    (error: { code: string; message: string }) =>
      error.code === 'equivocation' &&
      error.message.includes(digestOf(good.release)) &&
      error.message.includes(digestOf(other)),
  )
  assert.equal(accept(inputOf({ floor, release: good.release })).news, 'same')
})

test('H18 refuses a release of another fleet or channel', () => {
  for (const changes of [{ fleet: 'other' }, { channel: 'staging' }]) {
    refuses(
      'other-fleet',
      inputOf({ release: signedRelease(releaseOf(changes), releaseKey) }),
      good,
    )
  }
})

test('H19 refuses a release that does not name this host, whatever its name', () => {
  for (const host of ['db', '__proto__', 'constructor', 'toString', '', 'WEB']) {
    refuses('no-target', inputOf({ host }), good)
  }
  const own = `{"web":${JSON.stringify(target)},"__proto__":${JSON.stringify(target)}}`
  const text = rawRelease({ hosts: 'HERE' }).toString().replace('"HERE"', own)
  const release = signReleaseBytes(Buffer.from(text), releaseKey)
  refuses('no-target', inputOf({ release, host: '__proto__' }), good)
  const hosts = new Map([['constructor', target]])
  const named = signedRelease(releaseOf({ hosts }), releaseKey)
  assert.deepEqual(accept(inputOf({ release: named, host: 'constructor' })).target, target)
})

test('H20 refuses a system that is not a store path', () => {
  const hash = '0'.repeat(32)
  const wrong = [
    '/nix/store/../../etc',
    `/nix/store/${hash}-a/../../etc`,
    '/etc/passwd',
    `/nix/store/${hash}-${'a'.repeat(212)}`,
    `/nix/store/${'A'.repeat(32)}-web`,
    `/nix/store/${hash}-web\n`,
    `/nix/store/${hash}-web/bin`,
    7,
  ]
  for (const system of wrong) {
    const release = signReleaseBytes(
      rawRelease({ hosts: { web: { ...target, system } } }),
      releaseKey,
    )
    const code = typeof system === 'string' ? 'store-path' : 'schema'
    assert.throws(() => accept(inputOf({ release })), { code }, String(system))
  }
  const longest = { ...target, system: `/nix/store/${hash}-${'a'.repeat(211)}` }
  const release = signReleaseBytes(rawRelease({ hosts: { web: longest } }), releaseKey)
  assert.equal(accept(inputOf({ release })).target.system, longest.system)
})

test('H20 refuses a closure that is no SHA-256, or has an impossible size', () => {
  const wrong = [
    { closure: 'AB'.repeat(32) },
    { closure: '../x' },
    { closureSize: 0 },
    { closureSize: -1 },
    { closureSize: 2 ** 60 },
  ]
  for (const field of wrong) {
    const release = signReleaseBytes(
      rawRelease({ hosts: { web: { ...target, ...field } } }),
      releaseKey,
    )
    assert.throws(() => accept(inputOf({ release })), { code: 'schema' }, JSON.stringify(field))
  }
})

test('refuses a release that needs a feature this version does not know', () => {
  const release = signReleaseBytes(rawRelease({ requires: ['waves-9'] }), releaseKey)
  refuses('requires', inputOf({ release }), good)
  const later = signReleaseBytes(rawRelease({ requires: [], waves: [1, 2] }), releaseKey)
  assert.equal(accept(inputOf({ release: later })).news, 'newer', 'other fields are ignored')
})
