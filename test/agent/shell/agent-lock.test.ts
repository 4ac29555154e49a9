import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { lockAgent } from '../../../agent/shell/agent-lock.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const file = join(import.meta.dirname, '../../../agent/shell/agent-lock.ts')

test('D04: a lock is held by one process, and is free once that was killed', async t => {
  const path = join(temporaryDirectory(t), 'agent.lock')
  const script = `import { lockAgent } from ${JSON.stringify(file)}
    lockAgent(${JSON.stringify(path)}); process.send('held'); setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  await once(holder, 'message')
  assert.throws(() => lockAgent(path), { code: 'state-busy' })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  lockAgent(path)()
  lockAgent(path)()
})

test('a lock file that cannot be locked is named, with what to do', t => {
  const path = join(temporaryDirectory(t), 'agent.lock')
  writeFileSync(path, 'no lock of ours'.repeat(1000))
  assert.throws(() => lockAgent(path), { code: 'state-write', kind: 'host' })
})
