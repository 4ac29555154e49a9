import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  encodePrivateKey,
  encodePublicBlob,
  fingerprint,
  parsePrivateKey,
  parsePublicKey,
} from '../../../agent/codec/ssh-key.ts'
import { pointOf } from '../../../agent/trust/ed25519.ts'
import { rootKey } from '../../support/fleet.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const valid = {
  publicKey: rootKey.publicKey,
  seed: rootKey.seed,
  comment: 'somebody@somewhere',
}
const line = (point: Buffer) => `ssh-ed25519 ${encodePublicBlob(point).toString('base64')}`

function keygen(...words: string[]): string {
  needs('ssh-keygen')
  return execFileSync('ssh-keygen', words, { encoding: 'utf8' })
}

test('reads a key that ssh-keygen made, and writes it back to a file it reads', t => {
  const directory = temporaryDirectory(t)
  for (const comment of ['', 'a', 'with spaces', 'ünï', '1234567', '12345678']) {
    const path = join(directory, `key${comment.length}${comment.charCodeAt(0)}`)
    keygen('-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path)
    const key = parsePrivateKey(readFileSync(path, 'utf8'))
    const publicKey = parsePublicKey(readFileSync(`${path}.pub`, 'utf8'))
    assert.equal(key.comment, comment)
    assert.deepEqual(key.publicKey.point, publicKey.point)
    assert.deepEqual(pointOf(key.seed), publicKey.point)
    assert.match(keygen('-l', '-f', path), new RegExp(fingerprint(publicKey).replace(/\+/g, '\\+')))
    writeFileSync(`${path}.ours`, encodePrivateKey(key), { mode: 0o600 })
    assert.ok(keygen('-y', '-f', `${path}.ours`).startsWith(publicKey.line))
  }
})

test('writes a private key that reads back the same', () => {
  const text = encodePrivateKey(valid)
  assert.deepEqual(parsePrivateKey(text), valid)
  assert.equal(encodePrivateKey(parsePrivateKey(text)), text)
  assert.deepEqual(parsePrivateKey(text.replaceAll('\n', '\r\n')), valid)
})

test('refuses a private key cut at any byte, or longer', () => {
  const lines = encodePrivateKey(valid).trim().split('\n')
  const body = Buffer.from(lines.slice(1, -1).join(''), 'base64')
  const rebuilt = (bytes: Buffer) => [lines[0], bytes.toString('base64'), lines.at(-1)].join('\n')
  assert.deepEqual(parsePrivateKey(rebuilt(body)), valid)
  for (let length = 0; length < body.length; length += 1) {
    assert.throws(() => parsePrivateKey(rebuilt(body.subarray(0, length))), { kind: 'rejected' })
  }
  const longer = Buffer.concat([body, Buffer.of(0)])
  assert.throws(() => parsePrivateKey(rebuilt(longer)), { code: 'key' })
})

test('refuses a key with a passphrase, and names what can use it', t => {
  const path = join(temporaryDirectory(t), 'key')
  keygen('-q', '-t', 'ed25519', '-N', 'secret', '-f', path)
  assert.throws(() => parsePrivateKey(readFileSync(path, 'utf8')), {
    code: 'key-encrypted',
    next: /ssh-keygen -Y sign/,
  })
})

test('refuses keys of other kinds by name', t => {
  const path = join(temporaryDirectory(t), 'key')
  keygen('-q', '-t', 'ecdsa', '-N', '', '-f', path)
  const other = readFileSync(`${path}.pub`, 'utf8')
  assert.throws(() => parsePublicKey(other), { code: 'key', message: /ecdsa-sha2-nistp256/ })
  assert.throws(() => parsePrivateKey(readFileSync(path, 'utf8')), { code: 'key' })
})

test('refuses lines that are no Ed25519 public key, without repeating what may be a secret', () => {
  const { line: good } = rootKey
  assert.deepEqual(parsePublicKey(` ${good} a comment \n`).comment, 'a comment')
  const wrong = [
    '',
    'x',
    'hunter2 hunter2',
    good.slice(0, -2),
    `${good}=`,
    good.replace('AAAA', 'AAAB'),
  ]
  for (const text of wrong) {
    assert.throws(
      () => parsePublicKey(text),
      (error: Error & { code: string }) => error.code === 'key' && !/hunter2/.test(error.message),
      text,
    )
  }
  assert.throws(() => parsePublicKey(encodePrivateKey(valid)), { message: /private key/ })
})

test('H27 refuses public keys of small order, and second spellings', () => {
  const weak = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // y = p
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // y = p + 1
    'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ]
  for (const hex of weak) {
    const point = Buffer.from(hex, 'hex')
    for (const sign of [0, 0x80]) {
      point[31]! |= sign
      assert.throws(() => parsePublicKey(line(point)), { code: 'key' }, point.toString('hex'))
    }
  }
  assert.deepEqual(parsePublicKey(line(rootKey.publicKey.point)).point, rootKey.publicKey.point)
})
