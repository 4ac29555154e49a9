import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agentDefaults } from '../../agent/codec/agent-config.ts'
import { errorCodes } from '../../agent/codec/error-codes.ts'

const page = join(import.meta.dirname, '../../docs/reference/trust.md')
const rows = readFileSync(page, 'utf8').matchAll(/^\| `([^`]+)` \| `?([^`|]*?)`? \|/gm)
const cells = new Map([...rows].map(([, key, value]) => [key as string, value as string]))

/** `{ a: { b: 1 } }` as `a.b` → 1. */
function flat(value: object, prefix = ''): [string, unknown][] {
  return Object.entries(value).flatMap(([key, inner]) => {
    const name = `${prefix}${key}`
    return typeof inner === 'object' ? flat(inner, `${name}.`) : [[name, inner]]
  })
}

test('the page on trust states every default of agent.json as it is', () => {
  for (const [name, value] of flat(agentDefaults)) {
    assert.equal(cells.get(name), String(value), name)
  }
})

test('the page on trust names only codes that exist', () => {
  const text = readFileSync(page, 'utf8')
  const section = text.slice(text.indexOf('## What is refused'), text.indexOf('## The seed'))
  const named = [...section.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell]) => {
    return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code as string)
  })
  assert.ok(named.length > 10)
  assert.deepEqual(
    named.filter(code => !(code in errorCodes)),
    [],
  )
})
