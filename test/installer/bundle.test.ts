import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { bundle, bundleAgent, bundleHoldfast } from '../../installer/bundle.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { writeTree } from '../support/trees.ts'

const top = join(import.meta.dirname, '../..')
const read = (directory: string) =>
  Object.fromEntries(
    readdirSync(directory).map(name => [name, readFileSync(join(directory, name))]),
  )

test('makes flat files that Node runs, with workers and CommonJS inside', async t => {
  const directory = temporaryDirectory(t)
  writeTree(directory, {
    'from/deep/main.ts': `import pino from 'pino'
import { shared } from './shared.ts'
import { Worker } from 'node:worker_threads'
const { request } = await import('undici')
const name = './some-worker' + (import.meta.url.endsWith('.ts') ? '.ts' : '.js')
pino({ base: null, timestamp: false }).info({ event: 'hello', shared, undici: typeof request })
new Worker(new URL(name, import.meta.url))`,
    'from/deep/shared.ts': "export const shared: string = 'both'",
    'from/deep/some-worker.ts':
      "import { shared } from './shared.ts'\nconsole.log('worker', shared)",
    'from/node_modules': `-> ${join(top, 'node_modules')}`,
  })
  const out = join(directory, 'out')
  const entries = {
    main: join(directory, 'from/deep/main.ts'),
    'some-worker': join(directory, 'from/deep/some-worker.ts'),
  }
  await bundle({ entries, directory: out, minify: true })
  writeTree(out, { 'package.json': '{"type":"module"}' })
  const done = spawnSync(process.execPath, [join(out, 'main.js')], { encoding: 'utf8' })
  const hello = '{"level":30,"event":"hello","shared":"both","undici":"function"}'
  assert.equal(done.stdout, `${hello}\nworker both\n`, done.stderr)
})

test('the agent is the same bytes every time, and brings every worker', async t => {
  const directory = temporaryDirectory(t)
  const main = 'test/support/layout-agent.ts'
  await bundleAgent(join(directory, 'one'), main)
  await bundleAgent(join(directory, 'two'), main)
  const one = read(join(directory, 'one'))
  assert.deepEqual(one, read(join(directory, 'two')))
  const workers = readdirSync(join(top, 'agent'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('-worker.ts'))
    .map(name => name.replace(/^.*\//, '').replace(/\.ts$/, '.js'))
  for (const name of ['holdfast-agent.js', 'package.json', ...workers])
    assert.ok(one[name], `${name} is there`)
  const sources = Object.values(one).join('\n')
  assert.ok(!sources.includes(top), 'no path of the building machine')
})

test('on a Node too old to read it, holdfast says which one to use', async t => {
  const directory = join(temporaryDirectory(t), 'dist')
  await bundleHoldfast(directory)
  const old = join(directory, 'old.mjs')
  // What an old Node meets: another version, and modules of the program that it cannot load.
  const start = pathToFileURL(join(directory, 'holdfast.js'))
  writeFileSync(
    old,
    `Object.defineProperty(process.versions, 'node', { value: '20.19.2' })
import { registerHooks } from 'node:module'
registerHooks({ load(url, context, next) {
  if (url === ${JSON.stringify(start.href)} || url.startsWith('node:')) return next(url, context)
  throw new SyntaxError(url)
} })
await import(${JSON.stringify(start.href)})`,
  )
  const done = spawnSync(process.execPath, [old, 'keys', '-o', 'json'], { encoding: 'utf8' })
  assert.equal(done.status, 2)
  assert.equal(JSON.parse(done.stdout).error.code, 'old-node')
  assert.match(done.stderr, /^holdfast: Cannot run on Node 20.19.2: Holdfast needs 24 or newer/)
  assert.match(done.stderr, /\n {2}Run it with .*node_modules\/.bin\/node/)
  const program = join(directory, 'holdfast.js')
  const now = spawnSync(process.execPath, [program, '--help'], { encoding: 'utf8' })
  assert.match(now.stdout, /holdfast keys new/, now.stderr)
})
