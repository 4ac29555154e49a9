import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { commitProfile, generations, PROFILES, readProfile } from '../../../agent/system/profile.ts'
import { cutPowerAfter } from '../../support/power-cut.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { readTree } from '../../support/trees.ts'

const system = (letter: string) => `/nix/store/${letter.repeat(32)}-system`

test('a root that was never made has no committed system', t => {
  const prefix = temporaryDirectory(t)
  assert.equal(readProfile(prefix), undefined)
  assert.deepEqual(generations(prefix), [])
})

test('numbers generations, and a system that is committed keeps its number', t => {
  const prefix = temporaryDirectory(t)
  assert.equal(commitProfile(prefix, system('a')), 1)
  assert.equal(commitProfile(prefix, system('a')), 1)
  assert.equal(commitProfile(prefix, system('b')), 2)
  assert.equal(commitProfile(prefix, system('a')), 3)
  assert.deepEqual(readProfile(prefix), { generation: 3, system: system('a') })
  assert.deepEqual(
    generations(prefix).map(one => one.system),
    [system('a'), system('b'), system('a')],
  )
  assert.deepEqual(readTree(join(prefix, PROFILES)), {
    system: '-> system-3-link',
    'system-1-link': `-> ${system('a')}`,
    'system-2-link': `-> ${system('b')}`,
    'system-3-link': `-> ${system('a')}`,
  })
})

test('cut at any change, the profile is the old or the new one; a repeat makes it new', t => {
  let cut = true
  for (let cuts = 0; cut; cuts += 1) {
    const prefix = temporaryDirectory(t)
    commitProfile(prefix, system('a'))
    cut = cutPowerAfter(cuts, () => commitProfile(prefix, system('b')))
    const between = readProfile(prefix)
    assert.ok(between?.generation === 1 || between?.system === system('b'), `after ${cuts}`)
    assert.equal(commitProfile(prefix, system('b')), 2, `after ${cuts} changes`)
    assert.equal(commitProfile(prefix, system('c')), 3)
  }
})

test('goes on after the numbers that Nix has used', t => {
  const prefix = temporaryDirectory(t)
  mkdirSync(join(prefix, PROFILES), { recursive: true })
  symlinkSync(system('a'), join(prefix, PROFILES, 'system-41-link'))
  symlinkSync('system-41-link', join(prefix, PROFILES, 'system'))
  assert.deepEqual(readProfile(prefix), { generation: 41, system: system('a') })
  assert.equal(commitProfile(prefix, system('b')), 42)
})

test('a profile that points at no store path is none', t => {
  const prefix = temporaryDirectory(t)
  mkdirSync(join(prefix, PROFILES), { recursive: true })
  symlinkSync('/etc', join(prefix, PROFILES, 'system-1-link'))
  symlinkSync('system-1-link', join(prefix, PROFILES, 'system'))
  assert.equal(readProfile(prefix), undefined)
})
