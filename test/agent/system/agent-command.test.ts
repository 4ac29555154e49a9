import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../../support/temporary.ts'

const module = join(import.meta.dirname, '../../../agent/system/agent-command.ts')

test('names runtime, options and main file, without the words of this run', t => {
  const main = printer(temporaryDirectory(t))
  const words = commandOf([process.execPath, '--no-warnings', main, 'run', '--prefix', '/x'])
  assert.deepEqual(words, [process.execPath, '--no-warnings', main])
  assert.deepEqual(commandOf([...words, 'again']), words)
})

test('keeps the dynamic linker and its options, where that started the runtime', t => {
  const linker = execFileSync('/bin/sh', ['-c', 'echo /lib*/ld-linux*.so.* | cut -d" " -f1'])
    .toString()
    .trim()
  const main = printer(temporaryDirectory(t))
  const words = [linker, '--library-path', '/usr/lib', process.execPath, '--no-warnings', main]
  const found = commandOf([...words, 'run'])
  assert.deepEqual(found.slice(1), words.slice(1))
  assert.deepEqual(commandOf([...found, 'again', 'and', 'again']), found)
})

function printer(folder: string): string {
  const main = join(folder, 'main.ts')
  const text = `import { agentCommand } from ${JSON.stringify(module)}
console.log(JSON.stringify(agentCommand()))
`
  writeFileSync(main, text)
  return main
}

function commandOf([program, ...words]: string[]): string[] {
  return JSON.parse(execFileSync(program!, words, { encoding: 'utf8' })) as string[]
}
