import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openReporter } from '../../../agent/shell/reporter.ts'
import { ControllerClient, readTokenFile } from '../../../controller/client.ts'
import { someStatus } from '../../agent/shell/some-status.ts'
import { ranCommand } from '../../support/run-command.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { committed, enrolled, going, quiet, TestHost, wentBack } from '../controller-fixture.ts'
import { commands, start } from './program.ts'

test('from the first command to a rollout with an outcome, by a real reporter', async t => {
  const { url, state, ask } = await startedController(t)
  const token = (await ask('token', 'new', 'web-1')).stdout.trim()
  const report = reporter(t, { url, token, host: 'web-1' })
  report(going(3, 'Testing'))
  const watch = start(t, 'status', '--watch', '--timeout=60s', ...from(url, state))
  await watch.line
  report(committed(3))
  const ended = await watch.ended
  assert.equal(ended.exit, 0, ended.stderr)
  assert.match(ended.stdout, /^ *✔ +web-1 +Committed/m)
  const hosts = JSON.parse((await ask('get', 'hosts', '-o', 'json')).stdout)
  assert.equal(hosts.hosts[0].health, 'Healthy')
  assert.match((await ask('get', 'rollouts')).stdout, /^3 +prod +Succeeded/m)
})

test('the exit code of status says how it ended', async t => {
  const { url, state, ask, client } = await startedController(t)
  assert.equal((await ask('status')).exit, 2)
  const host = await enrolled({ url, client, root: temporaryDirectory(t) } as never, 'web-1')
  await host.report(going(2, 'Testing'))
  assert.equal((await ask('status')).exit, 0)
  assert.equal((await ask('status', '--watch', '--timeout=1s')).exit, 124)
  await host.report(wentBack(2))
  assert.equal((await ask('status', '--watch', '-o', 'json')).exit, 1)
  await host.report({ ...wentBack(2), phase: 'Held' })
  assert.equal((await ask('status', '--watch')).exit, 3)
  await host.report(committed(3))
  assert.equal((await ask('status', '--watch')).exit, 0)
  assert.equal((await ask('status', '--watch', '--release=2')).exit, 3)
  const away = ['--controller=http://127.0.0.1:1', ...from(url, state).slice(1)]
  assert.equal((await ranCommand(commands, ['status', ...away])).exit, 2)
})

test('SIGKILL loses nothing that was acknowledged; SIGTERM ends it with streams open', async t => {
  const first = await startedController(t)
  const { token } = await first.client.makeToken({ host: 'web-1' })
  const host = new TestHost({ url: first.url, root: temporaryDirectory(t) }, 'web-1')
  assert.equal((await host.enrol(token)).status, 200)
  assert.equal((await host.report(committed(4))).status, 200)
  first.program.process.kill('SIGKILL')
  await first.program.ended
  const second = await startedController(t, first.state)
  assert.equal((await second.client.host('web-1')).phase, 'Committed')
  assert.equal((await second.client.latestRollout()).outcome, 'Succeeded')
  const headers = { authorization: `Bearer ${readTokenFile(join(first.state, 'operator.token'))}` }
  const stream = await fetch(`${second.url}/v1/events`, { headers })
  second.program.process.kill('SIGTERM')
  const ended = await second.program.ended
  assert.deepEqual([ended.exit, ended.signal], [0, null])
  await stream.text()
})

test('a taken port and a foreign database end it with 2 and one sentence', async t => {
  const { url } = await startedController(t)
  const listen = `--listen=${url.slice('http://'.length)}`
  const taken = start(t, 'controller', `--state=${temporaryDirectory(t)}`, listen)
  const { exit, stderr } = await taken.ended
  assert.equal(exit, 2)
  assert.match(stderr, /^holdfast: Cannot listen on "127[^\n]*: it is in use \[port-taken\]\n/m)
  const elsewhere = start(
    t,
    'controller',
    `--state=${temporaryDirectory(t)}`,
    '--listen=203.0.113.9:80',
  )
  assert.match(
    (await elsewhere.ended).stderr,
    /^holdfast: Cannot listen on "203.0.113.9:80": this machine does not have it \[usage\]/m,
  )
  const state = temporaryDirectory(t)
  writeFileSync(join(state, 'controller.db'), 'x'.repeat(4096))
  const foreign = await start(t, 'controller', `--state=${state}`, '--listen=127.0.0.1:0').ended
  assert.equal(foreign.exit, 2)
  assert.match(foreign.stderr, /\[corrupt-state\]/)
})

test('a word too many is refused before anybody is asked', async () => {
  for (const words of [['get', 'hosts'], ['get', 'rollouts'], ['status']]) {
    const { exit, stderr } = await ranCommand(commands, [...words, 'web-1'])
    assert.equal(exit, 2)
    assert.match(stderr, /web-1.*\[usage\]/)
  }
})

test('before a controller was ever started, its token file is what it will write', async t => {
  const words = from('http://127.0.0.1:1', join(temporaryDirectory(t), 'none'))
  const { exit, stderr } = await ranCommand(commands, ['get', 'hosts', ...words])
  assert.equal(exit, 2)
  assert.match(stderr, /operator\.token": it does not exist \[missing\]\n {2}Start the controller/)
})

function from(url: string, state: string): string[] {
  return [`--controller=${url}`, `--token-file=${join(state, 'operator.token')}`]
}

async function startedController(t: TestContext, given?: string) {
  const state = given ?? join(temporaryDirectory(t), 'state')
  const program = start(t, 'controller', `--state=${state}`, '--listen=127.0.0.1:0')
  const url = await program.line
  const client = new ControllerClient({ url, token: readTokenFile(join(state, 'operator.token')) })
  const ask = (...words: string[]) => ranCommand(commands, [...words, ...from(url, state)])
  return { program, url, state, client, ask }
}

function reporter(t: TestContext, options: { url: string; token: string; host: string }) {
  const { url, token, host } = options
  const seed = {
    fleet: 'demo',
    host,
    channel: 'prod',
    root: { version: 1, sha256: '0'.repeat(64) },
    sources: [],
    controller: { url, token },
  }
  const stateDirectory = temporaryDirectory(t)
  const base = { seed, stateDirectory, log: quiet, intervalSeconds: 30, storePath: '/' }
  const opened = openReporter(base)
  t.after(() => opened.close())
  return (status: Parameters<typeof someStatus>[0]) =>
    opened.report(someStatus({ host, ...status }))
}
