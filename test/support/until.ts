import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'

/** Waits until `condition` holds; fails after `msMax`, which a busy machine does not reach. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  msMax = 15_000,
): Promise<void> {
  const end = performance.now() + msMax
  while (!(await condition())) {
    assert.ok(performance.now() < end, `this did not become true in time: ${condition}`)
    await wait(20)
  }
}
