import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryDirectory } from '../../support/temporary.ts'
import { writeTree } from '../../support/trees.ts'

const sources = join(import.meta.dirname, '../../..')
const program = `import { runCommand } from '${sources}/agent/cli/command.ts'
import { build } from '${sources}/installer/commands/build.ts'
process.exitCode = await runCommand('holdfast', [build], process.argv.slice(2))`

function place(t: TestContext) {
  const directory = writeTree(temporaryDirectory(t), {
    'build.json': '{"name":"web","etc":"etc","agent":false}',
    'etc/motd': 'hello',
    'main.ts': program,
  })
  const run = (...words: string[]) => {
    const all = [join(directory, 'main.ts'), 'build', ...words]
    return spawnSync(process.execPath, all, { cwd: directory, encoding: 'utf8' })
  }
  return { directory, run }
}

test('prints the system and links to it; the store is ./store by default', t => {
  const { directory, run } = place(t)
  const { stdout, status, stderr } = run('build.json', '--result=result')
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^\/nix\/store\/[a-z0-9]{32}-web-system\n$/)
  assert.ok(existsSync(join(directory, 'store', stdout.trim(), 'layout.json')))
  assert.match(readFileSync(join(directory, 'result/layout.json'), 'utf8'), /"name": "web"/)
  const again = run('build.json', '--store=other', '--result=result', '-o', 'json')
  assert.equal(JSON.parse(again.stdout).system, stdout.trim())
  assert.equal(again.stderr, '')
})

const wrong: [name: string, words: string[], code: string][] = [
  ['no build file', [], 'usage'],
  ['a build file that is not there', ['none.json'], 'config'],
  ['two build files', ['build.json', 'build.json'], 'usage'],
  ['a result that is a directory', ['build.json', '--result=etc'], 'exists'],
  ['a Node that is no program', ['agent.json', '--node=build.json'], 'config'],
]
for (const [name, words, code] of wrong) {
  test(`ends with 2 for ${name}, and leaves no link`, t => {
    const { directory, run } = place(t)
    writeFileSync(join(directory, 'agent.json'), '{"name":"web"}')
    const { status, stderr } = run(...words)
    assert.equal(status, 2)
    assert.match(stderr, new RegExp(`^holdfast: Cannot .* \\[${code}\\]\n {2}\\S`))
    assert.ok(existsSync(join(directory, 'etc/motd')))
  })
}

test('removes what a killed build left beside the store', t => {
  const { directory, run } = place(t)
  const left = join(directory, 'store/.holdfast/scratch-4194304-abc')
  mkdirSync(left, { recursive: true })
  assert.equal(run('build.json').status, 0)
  assert.ok(!existsSync(left))
})
