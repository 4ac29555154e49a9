import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { keyFingerprint, verifyByHostKey } from '../../../agent/codec/report-envelope.ts'
import { openHostKey } from '../../../agent/shell/host-key.ts'
import { openReporter } from '../../../agent/shell/reporter.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { someStatus } from './some-status.ts'

test('is made once, for its owner alone, and signs for ever the same', t => {
  const directory = temporaryDirectory(t)
  const [key, again] = [openHostKey(directory), openHostKey(directory)]
  assert.equal(statSync(join(directory, 'host.key')).mode & 0o777, 0o600)
  assert.equal(again.publicKey, key.publicKey)
  const message = Buffer.from('message')
  assert.ok(verifyByHostKey(key.publicKey, message, again.sign(message)))
  assert.ok(!verifyByHostKey(key.publicKey, Buffer.from('other'), again.sign(message)))
})

test('has the fingerprint that ssh-keygen prints', t => {
  needs('ssh-keygen')
  const directory = temporaryDirectory(t)
  const { publicKey } = openHostKey(directory)
  const file = join(directory, 'key.pub')
  writeFileSync(file, `${publicKey}\n`)
  const printed = execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' })
  assert.equal(printed.split(' ')[1], keyFingerprint(publicKey))
})

const wrong: [name: string, content: string][] = [
  ['nothing', ''],
  ['no key', 'key'],
  ['a key of another kind', otherKey()],
]
for (const [name, content] of wrong) {
  test(`a key file that holds ${name} stops the reports and nothing else`, async t => {
    const directory = temporaryDirectory(t)
    writeFileSync(join(directory, 'host.key'), content)
    assert.throws(() => openHostKey(directory), { code: 'corrupt-state' })
    const warnings: object[] = []
    const reporter = openReporter({
      seed: {
        fleet: 'demo',
        host: 'web-1',
        channel: 'prod',
        root: { version: 1, sha256: '' },
        sources: [],
        controller: { url: 'http://127.0.0.1:1' },
      },
      stateDirectory: directory,
      log: { info() {}, warn: fields => void warnings.push(fields) },
      intervalSeconds: 30,
    })
    reporter.report(someStatus({}))
    await reporter.close()
    assert.equal(warnings.length, 1)
  })
}

function otherKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
}
