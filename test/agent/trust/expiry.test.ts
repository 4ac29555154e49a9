import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accept } from '../../../agent/trust/accept.ts'
import { provedNow } from '../../../agent/trust/expiry.ts'
import {
  at,
  firstRoot,
  floorAfter,
  inputOf,
  NOW,
  pinOf,
  releaseKey,
  releaseOf,
  rootKey,
  rootOf,
  signedRelease,
  signedRoot,
} from '../../support/fleet.ts'

const DAY_MS = 24 * 3600 * 1000
const good = inputOf()

test('H13 refuses to install an expired release, from the very millisecond it expires', () => {
  const { release } = good
  const expires = Date.parse(releaseOf().expires)
  assert.equal(accept(inputOf({ release, now: expires - 1 })).stale, false)
  assert.throws(() => accept(inputOf({ release, now: expires })), { code: 'expired' })
})

test('H13 lets a release that was accepted in time run on, and calls it stale', () => {
  const floor = floorAfter(good.release)
  const late = accept(inputOf({ floor, now: NOW + 31 * DAY_MS }))
  assert.deepEqual([late.news, late.stale], ['same', true])
  const inTime = accept(inputOf({ floor }))
  assert.deepEqual([inTime.news, inTime.stale], ['same', false])
  assert.deepEqual(inTime.floor, floor)
})

test('H14 walks past an expired root to a newer valid one, and refuses where there is none', () => {
  const old = signedRoot(rootOf({ expires: at(-10) }), rootKey)
  const roots = [signedRoot(rootOf({ version: 2 }), rootKey)]
  const host = { trusted: [old], pin: pinOf(old) }
  assert.throws(() => accept(inputOf(host)), { code: 'expired', message: /root\/1\.json/ })
  assert.equal(accept(inputOf({ ...host, roots })).news, 'newer')
})

test('H14 refuses when the newest root has expired, though an older one has not', () => {
  const roots = [signedRoot(rootOf({ version: 2, expires: at(-1) }), rootKey)]
  assert.throws(() => accept(inputOf({ roots })), { code: 'expired' })
  assert.equal(accept(inputOf({ trusted: [firstRoot] })).news, 'newer')
})

test('H15 believes the newest proved time when the clock is set back', () => {
  const proof = signedRelease(releaseOf({ issued: at(40), expires: at(90) }), releaseKey)
  const floor = floorAfter(proof, { now: NOW + 41 * DAY_MS })
  assert.equal(provedNow(NOW, floor), NOW + 40 * DAY_MS)
  assert.equal(provedNow(NOW + 50 * DAY_MS, floor), NOW + 50 * DAY_MS)
  const release = signedRelease(releaseOf({ version: 8 }), releaseKey)
  const setBack = inputOf({ floor, release, now: NOW + 11 * DAY_MS })
  assert.throws(() => accept(setBack), { code: 'expired', message: /a signed release proves/ })
  const unproved = inputOf({ release, now: NOW + 11 * DAY_MS })
  assert.equal(accept(unproved).news, 'newer', 'without the proof it would be taken')
})

test('H15 never lowers the proved time', () => {
  const floor = floorAfter(good.release)
  const release = signedRelease(releaseOf({ version: 8, issued: at(-20) }), releaseKey)
  assert.equal(accept(inputOf({ floor, release })).floor.time, floor.time)
})

test('H16 says that the clock may be wrong when it is far ahead', () => {
  const now = NOW + 3650 * DAY_MS
  const message = /expired at .*the clock says 2036-.*the clock may be wrong/
  assert.throws(() => accept(inputOf({ now })), { code: 'expired', message })
  const soon = NOW + 31 * DAY_MS
  assert.throws(
    () => accept(inputOf({ now: soon })),
    (error: Error) => !error.message.includes('may be wrong'),
  )
})

test('H16 takes a clock far ahead for no proof: set right again, the host goes on', () => {
  const floor = floorAfter(good.release)
  const now = NOW + 3650 * DAY_MS
  const ahead = accept(inputOf({ floor, now }))
  assert.deepEqual([ahead.news, ahead.stale], ['same', true])
  const release = signedRelease(releaseOf({ version: 8 }), releaseKey)
  assert.equal(accept(inputOf({ floor: ahead.floor, release })).news, 'newer')
})
