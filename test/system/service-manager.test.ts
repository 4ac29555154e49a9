import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootAgentContainer, runInside } from '../support/agent-container.ts'

test('systemd, and switching with it, in a booted Debian', async t => {
  assert.equal(process.getuid?.(), 0, 'this test boots a container: run it as root')
  const container = await bootAgentContainer(t)
  await t.test('systemd keeps the contract of a service manager', () => {
    t.diagnostic(runInside(container, 'test/system/inside/systemd-contract.ts'))
  })
  await t.test('a switch does to units what its plan says, however it ends', () => {
    t.diagnostic(runInside(container, 'test/system/inside/systemd-switch.ts'))
  })
})
