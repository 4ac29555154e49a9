import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeRelease } from '../../../agent/codec/release.ts'
import { openSource } from '../../../agent/source/open-source.ts'
import type { PollResult } from '../../../agent/source/source.ts'
import { accept } from '../../../agent/trust/accept.ts'
import { digestOf } from '../../../agent/trust/root-chain.ts'
import { publish } from '../../../installer/commands/publish.ts'
import { rootNext } from '../../../installer/commands/root-next.ts'
import { startFileServer } from '../../support/file-server.ts'
import { startGitServer } from '../../support/git-server.ts'
import { needs } from '../../support/needs.ts'
import { makeProject, type TestProject } from '../../support/project.ts'
import { ranCommand } from '../../support/run-command.ts'
import { git } from '../../support/tree-repository.ts'

async function published(project: TestProject, ...words: string[]) {
  const { exit, stdout, stderr } = await ranCommand(
    [publish],
    ['publish', `--project=${project.file}`, ...words, '-o', 'json'],
  )
  assert.equal(exit, 0, stderr)
  return JSON.parse(stdout)
}

async function refused(project: TestProject, code: string, ...words: string[]): Promise<string> {
  const argv = ['publish', `--project=${project.file}`, ...words]
  const { exit, stdout, stderr } = await ranCommand([publish], argv)
  assert.equal(exit, 2, stderr)
  assert.match(stderr, new RegExp(`\\[${code}\\]`))
  assert.equal(stdout, '')
  return stderr
}

/** What a host gets out of a source, by the rules of a host. */
function acceptAs(host: string, project: TestProject, result: PollResult) {
  assert.ok(result.kind === 'found')
  const bytes = readFileSync(join(project.directory, 'root/1.json'))
  const signatures = readFileSync(join(project.directory, 'root/1.json.sig'))
  const first = { bytes, signatures }
  const pin = { version: 1, sha256: digestOf(first) }
  const place = { fleet: 'demo', channel: 'prod', host, now: Date.now(), floor: undefined }
  const { release, roots } = result
  return accept({ ...place, pin, trusted: [first], roots, release })
}

function poll(config: Parameters<typeof openSource>[0], project: TestProject) {
  const source = openSource(config, { scratch: join(project.directory, 'scratch') })
  const signal = AbortSignal.timeout(20_000)
  return source.poll({ channel: 'prod', rootVersion: 1, signal })
}

async function overHttp(t: TestContext) {
  const project = await makeProject(t)
  const server = await startGitServer({ directory: project.directory })
  t.after(() => server.close())
  const url = `${server.url}/fleet.git`
  project.configure({ git: { url, branch: 'main' } })
  return { project, server, url }
}

test('publishes over git and beside the cache what hosts accept', async t => {
  needs('git')
  const { project, url } = await overHttp(t)
  const web = project.system('web-1', 'one')
  const done = await published(project, `web=${web}`, `db=${web}`)
  assert.equal(done.version, 1)
  const accepted = acceptAs('web', project, await poll({ git: url, branch: 'main' }, project))
  assert.equal(accepted.target.system, web)
  const cache = await startFileServer({ directory: join(project.directory, 'cache') })
  t.after(() => cache.close())
  const mirrored = acceptAs('db', project, await poll({ http: cache.url }, project))
  assert.equal(mirrored.digest, accepted.digest)
  const manifest = join(project.directory, 'cache/closures', `${accepted.target.closure}.json`)
  assert.equal(readFileSync(manifest).length, accepted.target.closureSize)
})

test('goes on from the current release, keeps other files, and rolls back', async t => {
  needs('git')
  const { project } = await overHttp(t)
  const bare = join(project.directory, 'fleet.git')
  const work = join(project.directory, 'work')
  git('/', 'clone', '--quiet', bare, work)
  writeFileSync(join(work, 'README'), 'ours')
  git(work, 'add', '.')
  git(work, 'commit', '--quiet', '-m', 'readme')
  git(work, 'push', '--quiet', 'origin', 'HEAD:main')
  const [one, two] = [project.system('web-1', 'one'), project.system('web-2', 'two')]
  await published(project, `web=${one}`, `db=${one}`)
  const second = await published(project, `web=${two}`)
  assert.deepEqual(second.hosts, [
    { host: 'db', change: 'unchanged', from: one, to: one },
    { host: 'web', change: 'changed', from: one, to: two },
  ])
  const third = await published(project, '--all', one, '--remove', 'db')
  assert.equal(third.version, 3)
  const release = git(bare, 'show', 'main:prod/release.json')
  const { hosts } = decodeRelease(Buffer.from(release))
  assert.deepEqual(
    [...hosts].map(([host, { system }]) => [host, system]),
    [['web', one]],
  )
  assert.equal(git(bare, 'show', 'main:README'), 'ours')
  assert.equal(git(bare, 'rev-list', '--count', 'main'), '4')
  git(bare, 'fsck', '--strict')
})

test('works with file URLs and plain paths, and takes the link of a build', async t => {
  needs('git')
  const project = await makeProject(t)
  const system = project.system('web-1', 'one')
  const link = join(project.directory, 'result')
  symlinkSync(join(project.directory, 'store', system), link)
  await published(project, `web=${link}`)
  project.configure({ git: { url: `file://${project.directory}/fleet.git`, branch: 'main' } })
  const again = await published(project)
  assert.deepEqual([again.version, again.hosts[0].change], [2, 'unchanged'])
})

test('a dry run shows the change host by host and writes nothing', async t => {
  needs('git')
  const project = await makeProject(t)
  const one = project.system('web-1', 'one')
  const words = ['publish', `--project=${project.file}`, '--dry-run', `web=${one}`]
  const { exit, stdout } = await ranCommand([publish], words)
  assert.equal(exit, 0)
  assert.match(stdout, /^web {2}new {8}\S+-web-1$/m)
  assert.match(stdout, /^1 paths, 1 new in the cache: /m)
  assert.ok(!existsSync(join(project.directory, 'cache')))
  assert.equal(git(join(project.directory, 'fleet.git'), 'branch', '--list'), '')
})

test('tries again when another push wins, and keeps what that one changed', async t => {
  needs('git')
  const { project, url } = await overHttp(t)
  const [one, two] = [project.system('web-1', 'one'), project.system('web-2', 'two')]
  await published(project, `web=${one}`, `db=${one}`)
  const slow = await startGitServer({
    directory: project.directory,
    intercept: request => {
      if (request.method === 'POST' && request.url?.endsWith('git-receive-pack')) race()
      return false
    },
  })
  t.after(() => slow.close())
  let raced = 0
  const rival = { ...project, file: join(project.directory, 'rival.json') }
  const text = readFileSync(project.file, 'utf8')
  writeFileSync(rival.file, text.replace(url, `file://${project.directory}/fleet.git`))
  const race = () => {
    raced += 1
    if (raced > 1) return
    const script = join(import.meta.dirname, '../../support/publish-program.ts')
    const words = [script, 'publish', `--project=${rival.file}`, `db=${two}`]
    execFileSync(process.execPath, words, { stdio: 'pipe' })
  }
  project.configure({ git: { url: `${slow.url}/fleet.git`, branch: 'main' } })
  const done = await published(project, `web=${two}`)
  assert.equal(raced, 2)
  assert.equal(done.version, 3)
  assert.deepEqual(
    done.hosts.map((host: { to: string }) => host.to),
    [two, two],
  )
})

test('publishes a document made unsigned with the signatures of others', async t => {
  needs('git', 'ssh-keygen')
  const project = await makeProject(t, 2)
  const system = project.system('web-1', 'one')
  const document = join(project.directory, 'next.json')
  project.configure({ keys: { release: ['keys/release-1'] } })
  await refused(project, 'key-role', `web=${system}`)
  await published(project, `web=${system}`, `--unsigned=${document}`)
  const key = project.key('release-2')
  const options = { stdio: 'pipe' } as const
  execFileSync('ssh-keygen', ['-Y', 'sign', '-n', 'holdfast-release', '-f', key, document], options)
  const signature = `--signature=${document}.sig`
  const done = await published(project, `--document=${document}`, signature)
  assert.equal(done.version, 1)
  await refused(project, 'version', `--document=${document}`, signature)
})

test('does not go on from a release whose key was revoked, unless told to', async t => {
  needs('git')
  const project = await makeProject(t)
  const one = project.system('web-1', 'one')
  await published(project, `web=${one}`, `db=${one}`)
  const { stdout } = await ranCommand(
    [rootNext],
    [
      ...['root', 'next', `--directory=${project.directory}/root`, '--raise-epoch'],
      ...[`--add-release-key=${project.key('root-1.pub')}`, `--sign-with=${project.key('root-1')}`],
      `--remove-release-key=${project.key('release-1.pub')}`,
    ],
  )
  assert.ok(stdout)
  await refused(project, 'key-role', `web=${one}`)
  project.configure({ keys: { release: ['keys/root-1'] } })
  assert.match(await refused(project, 'quorum', `web=${one}`), /--trust-previous/)
  const done = await published(project, `web=${one}`, '--trust-previous')
  assert.deepEqual([done.epoch, done.version], [2, 1])
})

test('refuses in one sentence and leaves nothing half done', async t => {
  needs('git')
  const project = await makeProject(t)
  const one = project.system('web-1', 'one')
  const gone = `/nix/store/${'0'.repeat(32)}-gone`
  await refused(project, 'unknown-host', `Web_1=${one}`)
  await refused(project, 'unknown-host', `web=${one}`, '--remove=db')
  await refused(project, 'unknown-host')
  await refused(project, 'missing-path', `web=${gone}`)
  await refused(project, 'missing', 'web=./nowhere')
  await refused(project, 'usage', 'web')
  await refused(project, 'usage', `web=${one}`, `web=${one}`)
  await refused(project, 'usage', `web=${one}`, '--expires=yesterday')
  project.configure({ git: { url: 'http://127.0.0.1:1/fleet.git', branch: 'main' } })
  await refused(project, 'unreachable', `web=${one}`)
  project.configure({ git: { url: './absent.git', branch: 'main' } })
  await refused(project, 'git', `web=${one}`)
  project.configure({ keys: { release: ['keys/root-1'] } })
  await refused(project, 'key-role', `web=${one}`)
  project.configure({ fleet: 'other' })
  await refused(project, 'other-fleet', `web=${one}`)
  project.configure({ cache: { directory: 'holdfast.json', urls: ['http://cache.example'] } })
  await refused(project, 'denied', `web=${one}`)
  project.configure({ unknown: 1 })
  await refused(project, 'config', `web=${one}`)
  rmSync(project.file)
  await refused(project, 'missing', `web=${one}`)
  const cache = join(project.directory, 'cache')
  assert.deepEqual(existsSync(cache) ? readdirSync(cache) : [], [])
  assert.equal(git(join(project.directory, 'fleet.git'), 'branch', '--list'), '')
})
