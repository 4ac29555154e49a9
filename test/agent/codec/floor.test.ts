import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseFloor, decodeFloor, encodeFloor, type Floor } from '../../../agent/codec/floor.ts'
import { accept } from '../../../agent/trust/accept.ts'
import { floorAfter, inputOf, releaseKey, releaseOf, signedRelease } from '../../support/fleet.ts'

const base: Floor = {
  epoch: 1,
  version: 7,
  digest: 'ab'.repeat(32),
  rootVersion: 2,
  rootDigest: 'cd'.repeat(32),
  time: 1_780_000_000_000,
}
const older = encodeFloor({ ...base, version: 6 })
const newer = encodeFloor(base)
const torn = (bytes: Buffer) => bytes.subarray(0, bytes.length - 5)

test('reads back what it writes, byte for byte', () => {
  const floors = [base, { ...base, time: 0 }, { ...base, version: Number.MAX_SAFE_INTEGER }]
  for (const floor of floors) {
    assert.deepEqual(decodeFloor(encodeFloor(floor)), floor)
    assert.deepEqual(encodeFloor(decodeFloor(encodeFloor(floor))!), encodeFloor(floor))
  }
})

test('takes a slot cut at any byte, or with any bit changed, or longer, for torn', () => {
  for (let length = 0; length < newer.length; length += 1) {
    assert.equal(decodeFloor(newer.subarray(0, length)), undefined, `${length} bytes`)
  }
  for (let bit = 0; bit < newer.length * 8; bit += 1) {
    const changed = Buffer.from(newer)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    assert.equal(decodeFloor(changed), undefined, `bit ${bit}`)
  }
  assert.equal(decodeFloor(Buffer.concat([newer, Buffer.from('\n')])), undefined)
  assert.equal(decodeFloor(Buffer.alloc(512)), undefined)
})

test('takes a whole slot with impossible content for torn', () => {
  for (const wrong of [{ version: 0 }, { version: 1.5 }, { digest: 'x' }, { time: -1 }]) {
    assert.equal(decodeFloor(encodeFloor({ ...base, ...wrong })), undefined)
  }
})

test('H11 takes the best whole slot, and writes the other', () => {
  const cases: [Buffer | undefined, Buffer | undefined, number | undefined, 0 | 1][] = [
    [undefined, undefined, undefined, 0],
    [older, undefined, 6, 1],
    [undefined, older, 6, 0],
    [older, newer, 7, 0],
    [newer, older, 7, 1],
    [newer, newer, 7, 1],
    [torn(newer), older, 6, 0],
    [older, torn(newer), 6, 1],
    [torn(newer), newer, 7, 0],
  ]
  for (const [first, second, version, write] of cases) {
    const chosen = chooseFloor([first, second])
    assert.deepEqual([chosen.floor?.version, chosen.write], [version, write])
  }
  assert.deepEqual(chooseFloor([torn(newer), older]).torn, [0])
})

test('H11 rebuilds the floor from a copy when both slots are torn, and never from nothing', () => {
  const slots = [torn(newer), torn(older)] as const
  assert.equal(chooseFloor(slots, [newer]).floor?.version, 7)
  assert.equal(chooseFloor([older, torn(newer)], [newer]).floor?.version, 7)
  for (const copies of [[], [torn(newer)]]) {
    assert.throws(() => chooseFloor(slots, copies), { kind: 'host', code: 'floor' })
  }
  assert.throws(() => chooseFloor([torn(newer), undefined]), { code: 'floor' })
})

test('H11 refuses an older release whichever slot is torn', () => {
  const release = signedRelease(releaseOf({ version: 8 }), releaseKey)
  const before = encodeFloor(floorAfter(signedRelease(releaseOf(), releaseKey)))
  const after = encodeFloor(floorAfter(release))
  const replayed = signedRelease(releaseOf({ version: 6 }), releaseKey)
  for (const slots of [
    [before, torn(after)],
    [torn(after), before],
    [before, after],
  ] as const) {
    const { floor } = chooseFloor(slots)
    assert.throws(() => accept(inputOf({ floor, release: replayed })), { code: 'rollback' })
    assert.equal(accept(inputOf({ floor, release })).target.closureSize, 1000)
  }
  assert.equal(accept(inputOf({ floor: undefined, release: replayed })).news, 'newer', 'control')
})

test('orders floors by epoch, version, root and time', () => {
  const steps = [
    { ...base, epoch: 0, version: 99 },
    base,
    { ...base, time: base.time + 1 },
    { ...base, rootVersion: 3, time: 0 },
    { ...base, version: 8, rootVersion: 1 },
    { ...base, epoch: 2, version: 1 },
  ]
  for (const [index, low] of steps.entries()) {
    for (const high of steps.slice(index + 1)) {
      const slots = [encodeFloor(high), encodeFloor(low)] as const
      assert.deepEqual(chooseFloor(slots).floor, high)
    }
  }
})
