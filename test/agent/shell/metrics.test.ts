import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMetrics } from '../../../agent/shell/metrics.ts'

test('reads the metrics of this machine in a process of their own', async () => {
  const metrics = await readMetrics('/', new AbortController().signal)
  assert.ok(metrics && metrics.memoryTotal > 0 && metrics.storeFree > 0)
  assert.ok(metrics.uptimeSeconds > 0 && metrics.memoryUsed <= metrics.memoryTotal)
})

test('says nothing rather than fail', async () => {
  assert.equal(await readMetrics('/does/not/exist', new AbortController().signal), undefined)
  assert.equal(await readMetrics('/', AbortSignal.abort()), undefined)
})
