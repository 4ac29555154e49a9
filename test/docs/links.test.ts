import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { it } from 'node:test'

const top = join(import.meta.dirname, '../..')

it('every link between pages leads somewhere', () => {
  const pages = [...globSync('*.md', { cwd: top }), ...globSync('docs/**/*.md', { cwd: top })]
  const broken = pages.flatMap(page =>
    [...readFileSync(join(top, page), 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(match => match[1] ?? '')
      .filter(target => !/^[a-z]+:/.test(target))
      .filter(target => !existsSync(join(top, dirname(page), target)))
      .map(target => `${page}: ${target}`),
  )
  assert.deepEqual(broken, [])
})
