/**
 * `npm test`: types, format and lint, then every test. The quick ones run two files at a time;
 * those under `test/system` boot whole systems and run one after another. Words given on the
 * command line choose files: `npm test -- agent/codec`, and `--quick` leaves the boots out.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { dirname } from 'node:path'

const top = dirname(import.meta.dirname)
const words = process.argv.slice(2)
const quickOnly = words.includes('--quick')
const chosen = words.filter(word => !word.startsWith('--'))

const files = globSync('test/**/*.test.ts', { cwd: top })
  .filter(file => chosen.length === 0 || chosen.some(word => file.includes(word)))
  .sort()
const slow = files.filter(file => file.startsWith('test/system/'))
const quick = files.filter(file => !file.startsWith('test/system/'))

const steps: [name: string, program: string, words: string[]][] = []
if (chosen.length === 0) {
  steps.push(['types', 'tsc', ['--noEmit']], ['format and lint', 'biome', ['check', '.']])
}
steps.push(['quick tests', 'node', testWords(quick, 2)])
if (!quickOnly) steps.push(['tests with real boots', 'node', testWords(slow, 1)])

for (const [name, program, args] of steps) {
  if (args.at(-1)?.startsWith('--')) continue // No file was chosen for this step.
  process.stdout.write(`== ${name}\n`)
  const started = Date.now()
  const done = spawnSync(program, args, { cwd: top, stdio: 'inherit' })
  process.stdout.write(`== ${name}: ${Math.round((Date.now() - started) / 1000)} s\n`)
  if (done.status !== 0) {
    process.stdout.write(`== ${name} failed\n`)
    process.exit(1)
  }
}

function testWords(files: string[], concurrency: number): string[] {
  const options = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${concurrency}`,
  ]
  return [...options, '--test-timeout=600000', ...files]
}
