import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatBytes, progress } from '../../../agent/cli/progress.ts'

function record(isTTY: boolean) {
  const written: string[] = []
  return { output: { isTTY, columns: 60, write: (text: string) => written.push(text) }, written }
}

test('writes plain lines, one for each tenth, where there is no terminal', () => {
  const { output, written } = record(false)
  const bar = progress('Writing', 100, { output })
  for (let done = 0; done <= 100; done += 1) bar.update(done)
  bar.end()
  assert.equal(written.length, 10)
  assert.equal(written[0], 'Writing: 10 of 100\n')
  assert.ok(written.every(line => !line.includes('\x1b')))
})

test('draws one line on a terminal, no wider than it, and ends it once', () => {
  const { output, written } = record(true)
  const bar = progress('Writing the whole of a very long closure', 4096, {
    output,
    format: formatBytes,
  })
  bar.update(4096)
  bar.end()
  bar.end()
  assert.equal(written.filter(text => text === '\n').length, 1)
  assert.ok(written.every(text => text.replace('\r\x1b[K', '').length < 60))
})

test('says bytes as people do', () => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [150 * 1024 * 1024, '150 MiB'],
  ]
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text)
})
