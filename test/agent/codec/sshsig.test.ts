import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodePrivateKey } from '../../../agent/codec/ssh-key.ts'
import {
  encodeSshsig,
  type HashName,
  namespaces,
  parseSshsig,
  SIGNATURES_MAX,
  signedBytes,
  splitArmors,
} from '../../../agent/codec/sshsig.ts'
import { verifyEd25519 } from '../../../agent/trust/ed25519.ts'
import { armorOf, releaseKey, signer } from '../../support/fleet.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const namespace = namespaces.release
const document = Buffer.from('{"a":1}\n')
const armor = armorOf(document, releaseKey)

function keygen(words: string[], input: Buffer): string {
  needs('ssh-keygen')
  return execFileSync('ssh-keygen', words, { input, encoding: 'utf8', stdio: 'pipe' })
}

function keyFile(directory: string): string {
  const { publicKey, seed } = releaseKey
  const path = join(mkdtempSync(join(directory, 'key-')), 'key')
  writeFileSync(path, encodePrivateKey({ publicKey, seed, comment: 'test' }), { mode: 0o600 })
  return path
}

test('ssh-keygen accepts our signatures, by allowed signers and without, in both hashes', t => {
  const directory = temporaryDirectory(t)
  const allowed = join(directory, 'allowed')
  writeFileSync(allowed, `us namespaces="${namespace}" ${releaseKey.line}\n`)
  for (const hash of ['sha256', 'sha512'] as HashName[]) {
    const path = join(directory, `${hash}.sig`)
    writeFileSync(path, armorOf(document, releaseKey, { hash }))
    const verify = ['-Y', 'verify', '-f', allowed, '-I', 'us', '-n', namespace, '-s', path]
    assert.match(keygen(verify, document), /^Good "holdfast-release" signature for us/)
    const novalidate = ['-Y', 'check-novalidate', '-n', namespace, '-s', path]
    assert.match(keygen(novalidate, document), /^Good "holdfast-release" signature/)
    assert.throws(() => keygen(verify, Buffer.from('other')), 'the control')
  }
})

test('accepts what ssh-keygen signed, in both hashes, and writes the same armor', t => {
  const key = keyFile(temporaryDirectory(t))
  for (const hash of ['sha256', 'sha512']) {
    const words = ['-Y', 'sign', '-n', namespace, '-O', `hashalg=${hash}`, '-f', key]
    const text = keygen(words, document)
    const signature = parseSshsig(text)
    assert.equal(signature.hash, hash)
    assert.equal(signature.namespace, namespace)
    const { point } = signature.publicKey
    assert.ok(verifyEd25519(signedBytes(document, signature), signature.signature, point))
    assert.equal(encodeSshsig(signature), text)
  }
})

test('makes the very signature that ssh-keygen makes', t => {
  const words = ['-Y', 'sign', '-n', namespace, '-f', keyFile(temporaryDirectory(t))]
  assert.equal(keygen(words, document), armor)
})

test('signs the file, not its text: bytes that are not UTF-8 count as they are', t => {
  const bytes = Buffer.from([0xff, 0, 0xfe, 10])
  const path = keyFile(temporaryDirectory(t))
  const words = ['-Y', 'sign', '-n', namespace, '-f', path]
  assert.equal(keygen(words, bytes), armorOf(bytes, releaseKey))
})

test('refuses an armor cut at any character, and a body cut at any byte or longer', () => {
  const whole = armor.trim()
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => parseSshsig(whole.slice(0, length)), { kind: 'rejected' }, `${length}`)
  }
  const lines = whole.split('\n')
  const body = Buffer.from(lines.slice(1, -1).join(''), 'base64')
  const rebuilt = (bytes: Buffer) => [lines[0], bytes.toString('base64'), lines.at(-1)].join('\n')
  assert.equal(encodeSshsig(parseSshsig(rebuilt(body))), armor)
  for (let length = 0; length < body.length; length += 1) {
    assert.throws(() => parseSshsig(rebuilt(body.subarray(0, length))), { kind: 'rejected' })
  }
  assert.throws(() => parseSshsig(rebuilt(Buffer.concat([body, Buffer.of(0)]))), { code: 'key' })
})

test('refuses another version, another hash, another key kind, and lengths beyond the end', () => {
  const lines = armor.trim().split('\n')
  const body = Buffer.from(lines.slice(1, -1).join(''), 'base64')
  const changed = (offset: number, value: number) => {
    const bytes = Buffer.from(body)
    bytes[offset] = value
    return [lines[0], bytes.toString('base64'), lines.at(-1)].join('\n')
  }
  const hash = body.indexOf('sha512')
  for (const [offset, value] of [
    [0, 0x73],
    [9, 2],
    [10, 0xff],
    [hash, 0x78],
    [body.indexOf('ssh-ed25519'), 0x78],
    [body.lastIndexOf('ssh-ed25519'), 0x78],
  ] as const) {
    assert.throws(() => parseSshsig(changed(offset, value)), { kind: 'rejected' }, `at ${offset}`)
  }
})

test('splits a file into its armors, whatever stands between them', () => {
  const second = armorOf(document, signer(9))
  const text = `\nnoise\n${armor}\r\n# a comment\n${second.replaceAll('\n', '\r\n')}`
  const armors = splitArmors(Buffer.from(text))
  assert.deepEqual(armors.map(parseSshsig), [parseSshsig(armor), parseSshsig(second)])
  const unfinished = `${armor.slice(0, 100)}\n${second}`
  assert.equal(splitArmors(Buffer.from(unfinished)).length, 2)
  assert.deepEqual(splitArmors(Buffer.alloc(0)), [])
})

test('H01 splits off at most 32 armors, however many there are', () => {
  const split = (count: number) => splitArmors(Buffer.from(armor.repeat(count))).length
  const around = [SIGNATURES_MAX - 1, SIGNATURES_MAX, SIGNATURES_MAX + 1, 10_000]
  assert.deepEqual(around.map(split), [31, 32, 32, 32])
  const begins = '-----BEGIN SSH SIGNATURE-----\n'.repeat(100_000)
  assert.equal(splitArmors(Buffer.from(begins)).length, SIGNATURES_MAX)
})
