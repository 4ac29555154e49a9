import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Command } from '../../../agent/cli/command.ts'
import { ranCommand } from '../../support/run-command.ts'

const source = join(import.meta.dirname, '../../../agent/cli/command.ts')

/** A program with one command, of this body, that gets SIGINT when it has said `ready`. */
async function interrupted(t: TestContext, body: string) {
  const code = `import { runCommand } from ${JSON.stringify(source)}
const run = async invocation => { ${body} }
process.exitCode = await runCommand('p', [{ words: ['go'], args: '', summary: '', run }], ['go'])`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code])
  t.after(() => child.kill('SIGKILL'))
  child.stdout.once('data', () => child.kill('SIGINT'))
  return await new Promise(resolve => {
    child.once('close', (exit, signal) => resolve({ exit, signal }))
  })
}

test('Ctrl-C ends a command at once that does not watch for it', async t => {
  const body = `process.stdout.write('ready'); for (;;);`
  assert.deepEqual(await interrupted(t, body), { exit: null, signal: 'SIGINT' })
})

test('Ctrl-C lets a command end in its own way that watches for it', async t => {
  const body = `const { signal } = invocation
    const timer = setInterval(() => undefined, 1000)
    process.stdout.write('ready')
    await new Promise(resolve => signal.addEventListener('abort', resolve))
    clearInterval(timer)
    return 3`
  assert.deepEqual(await interrupted(t, body), { exit: 3, signal: null })
})

const failing = (details: object): Command => ({
  words: ['go'],
  args: '',
  summary: '',
  run: () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), details)),
})

test('a full disk is named by what was written to it, not by what was read', async () => {
  const copying = failing({ code: 'ENOSPC', path: '/usr/bin/node', dest: '/small/node' })
  const copied = await ranCommand([copying], ['go'])
  assert.match(
    copied.stderr,
    /^holdfast: Cannot write "\/small\/node": no space is left \[no-space\]/,
  )
  const written = await ranCommand([failing({ code: 'ENOSPC', syscall: 'write' })], ['go'])
  assert.equal(written.exit, 2)
  assert.match(written.stderr, /^holdfast: Cannot write to the disk: no space is left/)
})

test('a read-only file system is named as one, and is no fault of ours', async () => {
  const details = { code: 'EROFS', path: '/run/x', message: 'EROFS: read-only file system' }
  const { exit, stderr } = await ranCommand([failing(details)], ['go'])
  assert.equal(exit, 2)
  assert.match(stderr, /^holdfast: Cannot use "\/run\/x": EROFS: read-only.* \[denied\]/)
})

test('an unknown option is named, and nothing else', async () => {
  const { exit, stderr } = await ranCommand([failing({})], ['go', '--watsh'])
  assert.equal(exit, 2)
  const sentence = `holdfast: Cannot run "go": unknown option '--watsh' [usage]`
  assert.equal(stderr, `${sentence}\n  Run holdfast go --help\n`)
})
