import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { removeTree } from '../../agent/store/staging.ts'

/** A new directory that is removed when the test ends, read-only store paths included. */
export function temporaryDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  t.after(() => removeTree(path))
  return path
}
