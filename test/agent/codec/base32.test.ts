import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import {
  BASE32_ALPHABET,
  base32Length,
  decodeBase32,
  encodeBase32,
} from '../../../agent/codec/base32.ts'

/** From `nix-hash --to-base32 --type …` (Nix 2.8). */
const vectors: [hex: string, base32: string][] = [
  ['', ''],
  ['00', '00'],
  ['ff', '7z'],
  ['800d959cfcd98c1d3a1cb5ac59b2ad4e1d3d1c6b', 'dcf3s7afmnr5kb5m3hx1v36rzjf9a3c0'],
  [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73',
  ],
  [
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    '1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s',
  ],
]

test('encodes and decodes as Nix does', () => {
  for (const [hex, base32] of vectors) {
    const bytes = Buffer.from(hex, 'hex')
    assert.equal(encodeBase32(bytes), base32)
    assert.deepEqual(decodeBase32(base32, bytes.length), bytes)
  }
})

test('gives back every length of random bytes', () => {
  for (let length = 0; length <= 65; length++) {
    const bytes = randomBytes(length)
    const text = encodeBase32(bytes)
    assert.equal(text.length, base32Length(length))
    assert.deepEqual(decodeBase32(text, length), bytes)
  }
})

test('refuses one character too few or too many', () => {
  for (const text of ['0'.repeat(31), '0'.repeat(33), '']) {
    assert.throws(() => decodeBase32(text, 20), { code: 'base32' })
  }
})

test('refuses every character outside the alphabet', () => {
  for (let code = 0; code < 256; code++) {
    const character = String.fromCharCode(code)
    if (BASE32_ALPHABET.includes(character)) continue
    assert.throws(() => decodeBase32(`${character}${'0'.repeat(31)}`, 20), { code: 'base32' })
  }
})

test('refuses bits beyond the last byte, so that one value has one text', () => {
  assert.deepEqual(decodeBase32(`1${'0'.repeat(51)}`, 32)[31], 128)
  for (const first of '23456789abcdfghijklmnpqrsvwxyz') {
    assert.throws(() => decodeBase32(`${first}${'0'.repeat(51)}`, 32), { code: 'base32' })
  }
})
