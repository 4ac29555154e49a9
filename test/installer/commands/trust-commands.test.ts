/** The commands that make keys, roots and signatures, as a person uses them. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { encodeRelease } from '../../../agent/codec/release.ts'
import { namespaces } from '../../../agent/codec/sshsig.ts'
import { accept } from '../../../agent/trust/accept.ts'
import { digestOf } from '../../../agent/trust/root-chain.ts'
import { keysNew } from '../../../installer/commands/keys-new.ts'
import { rootInit } from '../../../installer/commands/root-init.ts'
import { rootNext } from '../../../installer/commands/root-next.ts'
import { rootSign } from '../../../installer/commands/root-sign.ts'
import { sign } from '../../../installer/commands/sign.ts'
import { verify } from '../../../installer/commands/verify.ts'
import { trustedRoots } from '../../../installer/root-files.ts'
import { signDocument } from '../../../installer/sign-document.ts'
import { releaseOf } from '../../support/fleet.ts'
import { needs } from '../../support/needs.ts'
import { type Ran, ranCommand } from '../../support/run-command.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const commands = [keysNew, rootInit, rootNext, rootSign, sign, verify]
const run = (...argv: string[]): Promise<Ran> => ranCommand(commands, argv)

async function ok(...argv: string[]): Promise<Record<string, unknown>> {
  const { exit, stdout, stderr } = await run(...argv, '-o', 'json')
  assert.equal(exit, 0, stderr)
  return JSON.parse(stdout)
}

/** Fails with exit 2, this code, one sentence and a next step; and nothing on the disk changes. */
async function fails(code: string, directory: string, ...argv: string[]): Promise<string> {
  const before = contents(directory)
  const { exit, stdout, stderr } = await run(...argv, '-o', 'json')
  assert.equal(exit, 2, stderr)
  const { error } = JSON.parse(stdout)
  assert.equal(error.code, code, error.message)
  assert.match(error.message, /^Cannot [^\n]*[^.\n]$/)
  assert.ok(error.next.length > 0)
  assert.deepEqual(contents(directory), before)
  return error.message
}

function contents(directory: string): [string, string][] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  return names
    .filter(name => statSync(join(directory, name)).isFile())
    .map(name => [name, readFileSync(join(directory, name), 'hex')])
}

/** Three keys and the first root, signed. */
async function fleet(t: TestContext) {
  const directory = temporaryDirectory(t)
  const keys = join(directory, 'keys')
  const root = join(directory, 'root')
  for (const [role, name] of [
    ['root', 'a'],
    ['root', 'b'],
    ['release', 'r'],
  ] as const) {
    await ok('keys', 'new', role, name, `--directory=${keys}`)
  }
  const key = (name: string) => join(keys, name)
  const init = ['root', 'init', '--fleet=demo', `--root-key=${key('a.pub')}`]
  init.push(`--release-key=${key('r.pub')}`, `--directory=${root}`)
  await ok(...init, `--sign-with=${key('a')}`)
  return { directory, root, key, init, at: `--directory=${root}` }
}

test('makes keys that ssh-keygen takes, of mode 0600, and never overwrites one', async t => {
  needs('ssh-keygen')
  const directory = temporaryDirectory(t)
  const at = `--directory=${join(directory, 'keys')}`
  const made = await ok('keys', 'new', 'release', 'r', at)
  const key = String(made.key)
  assert.equal(statSync(key).mode & 0o777, 0o600)
  const line = execFileSync('ssh-keygen', ['-y', '-f', key], { encoding: 'utf8' })
  assert.ok(line.startsWith(String(made.line)))
  assert.equal(readFileSync(`${key}.pub`, 'utf8').trim(), line.trim())
  await fails('exists', directory, 'keys', 'new', 'release', 'r', at)
  writeFileSync(join(directory, 'keys', 'half.pub'), '')
  await fails('exists', directory, 'keys', 'new', 'root', 'half', at)
  await fails('usage', directory, 'keys', 'new', 'boss', 'x', at)
  await fails('usage', directory, 'keys', 'new', 'root', '../x', at)
  await fails('usage', directory, 'keys', 'new', 'root', at)
})

test('makes a first root that hosts believe, with a release signed by its key', async t => {
  const { directory, root, key } = await fleet(t)
  const release = join(directory, 'release.json')
  writeFileSync(release, encodeRelease(releaseOf()))
  const signed = await ok(
    'sign',
    release,
    '--namespace=holdfast-release',
    `--key=${key('r')}`,
    `--root=${root}`,
  )
  assert.deepEqual([signed.signed, signed.threshold], [1, 1])
  const first = { bytes: readFileSync(join(root, '1.json')), signatures: Buffer.alloc(0) }
  const accepted = accept({
    pin: { version: 1, sha256: digestOf(first) },
    trusted: [],
    roots: [first],
    floor: undefined,
    now: Date.parse(releaseOf().issued),
    fleet: 'demo',
    channel: 'prod',
    host: 'web',
    release: { bytes: readFileSync(release), signatures: readFileSync(`${release}.sig`) },
  })
  assert.equal(accepted.news, 'newer')
  assert.equal((await ok('verify', release, `--root=${root}`)).signed, 1)
  writeFileSync(release, ' ', { flag: 'a' })
  assert.equal((await run('verify', release, `--root=${root}`)).exit, 1)
})

test('refuses to make a root that cannot be, and leaves nothing behind', async t => {
  const { directory, init, key } = await fleet(t)
  const other = join(directory, 'other')
  const words = [...init.filter(word => !word.startsWith('--directory')), `--directory=${other}`]
  await fails('exists', directory, ...init)
  await fails('threshold', directory, ...words, '--threshold-root=2')
  await fails('threshold', directory, ...words, '--threshold-release=0')
  await fails('threshold', directory, ...words, `--root-key=${key('a.pub')}`)
  await fails('usage', directory, ...words, '--threshold-root=-1')
  await fails('usage', directory, ...words, '--expires=yesterday')
  await fails('usage', directory, ...words, '--expires=2020-01-01')
  await fails('usage', directory, ...words, '--fleet=a b')
  await fails('usage', directory, ...words, 'stray')
  await fails('missing', directory, ...words, '--root-key=nowhere.pub')
  await fails('key', directory, ...words, `--root-key=${join(directory, 'root', '1.json')}`)
  await fails('key', directory, ...words, `--root-key=${directory}`)
  await fails('signature', directory, ...words, `--sign-with=${key('r')}`)
  await fails('usage', directory, 'root', 'init', '--fleet=demo', `--directory=${other}`)
  assert.equal(existsSync(other), false)
  await ok(...words)
})

test('grows a chain by the old and the new quorum, with what ssh-keygen signed', async t => {
  needs('ssh-keygen')
  const { directory, root, key, at } = await fleet(t)
  const change = [`--add-root-key=${key('b.pub')}`, '--threshold-root=2', at]
  const next = await ok('root', 'next', ...change, `--sign-with=${key('a')}`)
  assert.equal(next.complete, false)
  assert.throws(() => trustedRoots(root), { kind: 'usage', code: 'quorum' })
  await fails('quorum', directory, 'root', 'next', at)
  const input = readFileSync(join(root, '2.json'))
  const made = (namespace: string, name: string) => {
    const words = ['-Y', 'sign', '-n', namespace, '-f', key(name)]
    const path = join(directory, `${namespace}-${name}.sig`)
    writeFileSync(path, execFileSync('ssh-keygen', words, { input, stdio: 'pipe' }))
    return `--signature=${path}`
  }
  await fails('signature', directory, 'root', 'sign', '2', made('git', 'b'), at)
  await fails('signature', directory, 'root', 'sign', '2', made('holdfast-root', 'r'), at)
  await fails('signature', directory, 'root', 'sign', '1', made('holdfast-root', 'a'), at)
  const file = join(root, '2.json')
  const signed = await ok('root', 'sign', file, made('holdfast-root', 'b'))
  assert.deepEqual(signed.own, { signed: 2, threshold: 2 })
  assert.equal(signed.complete, true)
  assert.equal(trustedRoots(root).root.version, 2)
  const again = contents(root)
  await ok('root', 'sign', '2', `--key=${key('b')}`, at)
  assert.deepEqual(contents(root), again, 'signing again changes nothing')
})

test('removes a key, raises the epoch, and refuses a change that changes nothing real', async t => {
  const { directory, root, key, at } = await fleet(t)
  await fails('usage', directory, 'root', 'next', `--remove-root-key=${key('b.pub')}`, at)
  await fails('usage', directory, 'root', 'next', `--add-root-key=${key('a.pub')}`, at)
  await fails('threshold', directory, 'root', 'next', `--remove-root-key=${key('a.pub')}`, at)
  const change = [`--add-root-key=${key('b.pub')}`, `--remove-root-key=${key('a.pub')}`]
  const signing = [`--sign-with=${key('a')}`, `--sign-with=${key('b')}`]
  const next = await ok('root', 'next', ...change, ...signing, '--raise-epoch', at)
  assert.deepEqual([next.version, next.epoch, next.complete], [2, 2, true])
  assert.equal(trustedRoots(root).root.roles.root.keys.length, 1)
  await fails('missing', directory, 'root', 'sign', '3', `--key=${key('a')}`, at)
  await fails('usage', directory, 'root', 'sign', '2', at)
})

test('refuses a release key outside the role, and a purpose it does not know', async t => {
  const { directory, root, key } = await fleet(t)
  const file = join(directory, 'release.json')
  writeFileSync(file, '{}')
  const words = ['sign', file, `--root=${root}`]
  const release = '--namespace=holdfast-release'
  await fails('signature', directory, ...words, release, `--key=${key('a')}`)
  await fails('usage', directory, ...words, '--namespace=git', `--key=${key('r')}`)
  await fails('usage', directory, ...words, release)
  await fails('missing', directory, 'sign', join(directory, 'none'), release, `--key=${key('r')}`)
  await fails('missing', directory, 'verify', file, `--root=${root}`)
  await ok(...words, release, `--key=${key('r')}`)
})

test('says what to do with a key that has a passphrase', async t => {
  needs('ssh-keygen')
  const { directory, key, at } = await fleet(t)
  const path = key('locked')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', path])
  const { stderr, exit } = await run('root', 'sign', '1', `--key=${path}`, at)
  assert.equal(exit, 2)
  assert.match(stderr, /it has a passphrase.*\[key-encrypted\]\n {2}Sign with ssh-keygen -Y sign/)
  assert.ok(directory)
})

test('signs with a key that only an ssh-agent holds', async t => {
  needs('ssh-keygen', 'ssh-agent', 'ssh-add')
  const { directory, key } = await fleet(t)
  const socket = join(directory, 'agent.sock')
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => agent.kill())
  await once(agent.stdout, 'data')
  process.env.SSH_AUTH_SOCK = socket
  t.after(() => delete process.env.SSH_AUTH_SOCK)
  const request = {
    bytes: Buffer.from('x'),
    namespace: namespaces.release,
    keyFile: join(directory, 'only.pub'),
  }
  writeFileSync(request.keyFile, readFileSync(key('r.pub')))
  assert.throws(() => signDocument(request), { kind: 'usage', code: 'key', next: /ssh-add/ })
  execFileSync('ssh-add', ['-q', key('r')], { stdio: 'pipe' })
  assert.equal(signDocument(request), signDocument({ ...request, keyFile: key('r') }))
})
