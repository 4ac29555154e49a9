import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  bootedSystem,
  bootId,
  runningSystem,
  setRunningSystem,
  startBoot,
} from '../../../agent/system/running.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const system = (letter: string) => `/nix/store/${letter.repeat(32)}-system`

test('before the first start nothing runs and nothing was booted', t => {
  const prefix = temporaryDirectory(t)
  assert.equal(runningSystem(prefix), undefined)
  assert.equal(bootedSystem(prefix), undefined)
})

test('a switch changes what runs, not what was booted', t => {
  const prefix = temporaryDirectory(t)
  startBoot(prefix, system('a'))
  setRunningSystem(prefix, system('b'))
  assert.equal(runningSystem(prefix), system('b'))
  assert.equal(bootedSystem(prefix), system('a'))
})

test('the boot id stays until the next boot', t => {
  const prefix = temporaryDirectory(t)
  startBoot(prefix, system('a'))
  const first = bootId(prefix)
  assert.equal(bootId(prefix), first)
  startBoot(prefix, system('a'))
  const second = bootId(prefix)
  assert.notEqual(second, first)
  rmSync(join(prefix, 'run'), { recursive: true })
  assert.notEqual(bootId(prefix), second)
})
