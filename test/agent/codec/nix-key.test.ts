import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import {
  generateNixKey,
  isNixSignature,
  parseNixPublicKey,
  parseNixSecretKey,
  signWithNixKey,
  verifyNixSignature,
} from '../../../agent/codec/nix-key.ts'
import { needs } from '../../support/needs.ts'

function nixKey(args: string[], input = ''): string {
  needs('nix')
  const flags = ['--extra-experimental-features', 'nix-command', 'key']
  return execFileSync('nix', [...flags, ...args], { input, encoding: 'utf8' }).trim()
}

test('reads the keys that Nix makes, and Nix reads ours', () => {
  const theirs = nixKey(['generate-secret', '--key-name', 'theirs.example.org-1'])
  const publicKey = nixKey(['convert-secret-to-public'], theirs)
  assert.equal(parseNixSecretKey(`${theirs}\n`).publicKey, publicKey)
  assert.equal(parseNixPublicKey(publicKey).name, 'theirs.example.org-1')

  const ours = generateNixKey('ours.example.org-1')
  const converted = nixKey(['convert-secret-to-public'], ours)
  assert.equal(converted, parseNixSecretKey(ours).publicKey)
})

const secret = parseNixSecretKey(generateNixKey('a-1'))
const trusted = [parseNixPublicKey(secret.publicKey)]
const signature = signWithNixKey(secret, 'some text')

test('verifies what it signed', () => {
  assert.equal(verifyNixSignature(trusted, 'some text', signature), true)
})

const refused: [name: string, text: string, signature: string][] = [
  ['of another text', 'some texT', signature],
  ['under another name', 'some text', signature.replace('a-1:', 'b-1:')],
  [
    'by another key of the same name',
    'some text',
    signWithNixKey(parseNixSecretKey(generateNixKey('a-1')), 'some text'),
  ],
  ['that is cut', 'some text', signature.slice(0, -4)],
  ['with something after it', 'some text', `${signature}\n`],
  ['without a name', 'some text', signature.slice(4)],
  ['that is empty', 'some text', ''],
]
for (const [name, text, wrong] of refused) {
  test(`does not verify a signature ${name}`, () => {
    assert.equal(verifyNixSignature(trusted, text, wrong), false)
  })
}

const bytes = (length: number) => Buffer.alloc(length, 1).toString('base64')
const keys: [name: string, text: string][] = [
  ['no colon', bytes(32)],
  ['no name', `:${bytes(32)}`],
  ['a name with a space', `a b:${bytes(32)}`],
  ['two lines', `a:${bytes(32)}\nb:${bytes(32)}`],
  ['one byte too few', `a:${bytes(31)}`],
  ['one byte too many', `a:${bytes(33)}`],
  ['base64 without its padding', `a:${bytes(32).replace('=', '')}`],
  ['base64 with bits to spare', `a:${bytes(32).replace(/.=$/, 'F=')}`],
  ['nothing', ''],
]
for (const [name, text] of keys) {
  test(`refuses a public key with ${name}`, () => {
    assert.throws(() => parseNixPublicKey(text), { code: 'cache-key' })
  })
}

test('refuses a secret key whose halves do not fit, without telling it', () => {
  const wrong = `a:${bytes(64)}`
  assert.throws(
    () => parseNixSecretKey(wrong),
    (error: Error & { code: string }) => {
      return error.code === 'cache-key' && !error.message.includes(bytes(64).slice(0, 8))
    },
  )
})

test('refuses to make a key with a name that nobody could trust', () => {
  for (const name of ['', 'a b', 'a:b', 'é']) {
    assert.throws(() => generateNixKey(name), { code: 'cache-key' })
  }
})

test('knows the form of a signature', () => {
  assert.equal(isNixSignature(signature), true)
  assert.equal(isNixSignature(`a:${bytes(63)}`), false)
})
