import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { hasFailed } from '../../../agent/system/service-manager.ts'
import { parseShow } from '../../../agent/system/systemctl.ts'
import { ownUnit } from '../../../agent/system/unit-advice.ts'

/**
 * What systemd 252 of Debian 12 said in a container, with a service that fails and one that loops.
 */
const captured = readFileSync(join(import.meta.dirname, '../../vectors/systemd/show.txt'), 'utf8')

test('reads what systemctl show says of every unit', () => {
  const units = parseShow(captured)
  assert.equal(units.length, captured.match(/^Id=/gm)?.length)
  const logind = units.find(unit => unit.name === 'systemd-logind.service')
  assert.deepEqual(logind, {
    name: 'systemd-logind.service',
    active: 'active',
    sub: 'running',
    fragment: '/lib/systemd/system/systemd-logind.service',
    exitCode: 0,
  })
})

test('knows what has failed: for good, or again and again', () => {
  const failed = parseShow(captured).filter(hasFailed)
  assert.deepEqual(failed.map(unit => unit.name).sort(), ['bad.service', 'loop.service'])
})

test('tells units of a system from those that systemd or a generator made', () => {
  const units = parseShow(captured)
  const own = new Set(units.filter(ownUnit).map(unit => unit.name))
  assert.equal(own.has('bad.service'), true)
  assert.equal(own.has('systemd-journald.service'), true)
  for (const unit of units) {
    if (/\.(device|scope)$/.test(unit.name) || unit.name === '-.slice') {
      assert.equal(own.has(unit.name), false, unit.name)
    }
  }
})

test('an empty answer is no unit', () => {
  assert.deepEqual(parseShow(''), [])
  assert.deepEqual(parseShow('\n\n'), [])
})
