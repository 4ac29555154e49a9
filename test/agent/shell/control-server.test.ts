import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { askAgent } from '../../../agent/shell/control-client.ts'
import type { ControlAnswer } from '../../../agent/shell/control-protocol.ts'
import { openControl } from '../../../agent/shell/control-server.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const { signal } = new AbortController()

async function listen(t: TestContext): Promise<string> {
  const path = join(temporaryDirectory(t), 'agent.sock')
  writeFileSync(path, '') // What an agent that was killed left behind.
  const answer = async () => ({ status: { host: 'web' } }) as ControlAnswer
  const server = await openControl({ path, answer, log: quiet })
  t.after(() => server.close())
  return path
}

function say(path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let answer = ''
    socket.on('error', reject)
    socket.on('data', chunk => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.write(text)
  })
}

test('answers on a socket that another agent left behind', async t => {
  const path = await listen(t)
  assert.equal((await askAgent(path, { command: 'status' }, signal)).host, 'web')
})

const wrong: [name: string, request: string, code: RegExp][] = [
  ['what is no JSON', 'status\n', /"json"/],
  ['an unknown command', '{"command":"reboot"}\n', /"schema"/],
  ['an unknown field', '{"command":"status","x":1}\n', /"schema"/],
  ['a retry that is no boolean', '{"command":"reconcile","retry":1}\n', /"schema"/],
  ['a request without an end', 'x'.repeat(5000), /"json"/],
]
for (const [name, request, code] of wrong) {
  test(`refuses ${name}`, async t => {
    assert.match(await say(await listen(t), request), code)
  })
}

const left = 'connections that end without a request give their places back at once'
test(left, { timeout: 4000 }, async t => {
  const path = await listen(t)
  const idle = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const socket = connect(path)
      await once(socket, 'connect')
      return socket
    }),
  )
  for (const socket of idle) socket.end()
  await Promise.all(idle.map(async socket => await once(socket.resume(), 'close')))
  assert.equal((await askAgent(path, { command: 'status' }, signal)).host, 'web')
})
