/** The whole story, as `npm run demo` tells it, with hosts of either kind. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { needs } from '../support/needs.ts'

const demo = join(import.meta.dirname, '../demo/main.ts')

type Report = { ok: boolean; mode: string; steps: { id: string; ok: boolean; detail: string }[] }

async function tell(...words: string[]): Promise<Report> {
  const { stdout } = await promisify(execFile)(process.execPath, [demo, '-o', 'json', ...words])
  return JSON.parse(stdout) as Report
}

describe('the demo', () => {
  it('holds with hosts booted by nspawn from store-only images', async () => {
    needs('systemd-nspawn', 'mmdebstrap', 'ip', 'git')
    const report = await tell()
    assert.equal(report.mode, 'nspawn')
    assert.deepEqual(
      report.steps.map(step => [step.id, step.ok]),
      [
        ['start', true],
        ['a', true],
        ['b', true],
        ['c', true],
        ['d', true],
      ],
    )
  })

  it('holds with hosts in plain directories', async () => {
    needs('git')
    const report = await tell('--plain')
    assert.deepEqual([report.mode, report.ok, report.steps.length], ['plain', true, 5])
  })
})
