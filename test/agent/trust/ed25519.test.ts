import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import { test } from 'node:test'
import nacl from 'tweetnacl'
import { isWeakPoint } from '../../../agent/codec/ed25519-point.ts'
import { encodeRelease } from '../../../agent/codec/release.ts'
import { encodeRoot } from '../../../agent/codec/root.ts'
import { encodePublicBlob } from '../../../agent/codec/ssh-key.ts'
import { encodeSshsig, parseSshsig } from '../../../agent/codec/sshsig.ts'
import { accept } from '../../../agent/trust/accept.ts'
import { pointOf, signEd25519, verifyEd25519 } from '../../../agent/trust/ed25519.ts'
import {
  armorOf,
  inputOf,
  releaseKey,
  releaseOf,
  rootKey,
  rootOf,
  signed,
  signRootBytes,
} from '../../support/fleet.ts'

const L = 2n ** 252n + 27742317777372353535851937790883648493n
const message = Buffer.from('message')
const { seed } = rootKey
const point = pointOf(seed)
const signature = signEd25519(message, seed)

/** The same signature with L added to S: the equation still holds. */
function malleated(original: Buffer): Buffer {
  const s = BigInt(`0x${Buffer.from(original.subarray(32)).reverse().toString('hex')}`) + L
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()
  return Buffer.concat([original.subarray(0, 32), bytes])
}

test('agrees with OpenSSL on what it signs', () => {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
  const key = { key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' } as const
  assert.deepEqual(sign(null, message, key), signature)
  assert.ok(verifyEd25519(message, signature, point))
})

test('refuses a signature with any bit changed, cut, or longer', () => {
  for (let bit = 0; bit < 512; bit += 7) {
    const changed = Buffer.from(signature)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    assert.equal(verifyEd25519(message, changed, point), false, `bit ${bit}`)
  }
  assert.equal(verifyEd25519(message, signature.subarray(1), point), false)
  assert.equal(verifyEd25519(message, Buffer.concat([signature, signature]), point), false)
  assert.equal(verifyEd25519(message, signature, point.subarray(1)), false)
})

test('H27 refuses S + L, which tweetnacl alone lets through', () => {
  const second = malleated(signature)
  assert.equal(nacl.sign.detached.verify(message, second, point), true, 'the control')
  assert.equal(verifyEd25519(message, second, point), false)
})

test('H27 refuses a forgery for a small-order key, which tweetnacl alone lets through', () => {
  // With A the neutral element, R = A and S = 0 satisfy the equation for every message.
  const neutral = Buffer.alloc(32)
  neutral[0] = 1
  const forged = Buffer.concat([neutral, Buffer.alloc(32)])
  assert.equal(nacl.sign.detached.verify(message, forged, neutral), true, 'the control')
  assert.equal(verifyEd25519(message, forged, neutral), false)
})

test('H27 knows every multiple of a point of order eight', () => {
  // Every point of small order is accepted by tweetnacl for some of few messages with R = A^k.
  const order8 = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'
  const torsion = [order8, '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05']
  const neutral = Buffer.alloc(32)
  neutral[0] = 1
  const forged = Buffer.concat([neutral, Buffer.alloc(32)])
  for (const hex of torsion) {
    const weak = Buffer.from(hex, 'hex')
    const tried = Array.from({ length: 256 }, (_, index) => Buffer.from(`${index}`))
    const control = tried.some(text => nacl.sign.detached.verify(text, forged, weak))
    assert.ok(control, 'tweetnacl takes a forgery for about one message in eight')
    assert.ok(isWeakPoint(weak))
    assert.ok(tried.every(text => !verifyEd25519(text, forged, weak)))
  }
})

test('H27 refuses a release whose only signature is malleated', () => {
  const bytes = encodeRelease(releaseOf())
  const made = parseSshsig(armorOf(bytes, releaseKey))
  const armor = encodeSshsig({ ...made, signature: malleated(made.signature) })
  assert.throws(() => accept(inputOf({ release: signed(bytes, armor) })), { code: 'quorum' })
  assert.equal(accept(inputOf({ release: signed(bytes, encodeSshsig(made)) })).news, 'newer')
})

test('H27 refuses a root that names a small-order key', () => {
  const weak = Buffer.alloc(32)
  weak[0] = 1
  const line = `ssh-ed25519 ${encodePublicBlob(weak).toString('base64')}`
  const root = (key: string) => {
    const roles = { ...rootOf().roles, release: { threshold: 1, keys: [key] } }
    return signRootBytes(encodeRoot(rootOf({ version: 2, roles })), rootKey)
  }
  assert.throws(() => accept(inputOf({ roots: [root(line)] })), { code: 'key' })
  assert.equal(accept(inputOf({ roots: [root(releaseKey.line)] })).root.version, 2)
})
