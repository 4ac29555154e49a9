import { chmodSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A new directory that is removed when the test ends, read-only store paths included. */
export function temporaryDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  t.after(() => removeTree(path))
  return path
}

/** Removes a tree even where its directories lack the write bit, as store paths do. */
export function removeTree(path: string): void {
  if (process.getuid?.() !== 0) makeWritable(path)
  rmSync(path, { recursive: true, force: true })
}

function makeWritable(path: string): void {
  if (!lstatSync(path).isDirectory()) return
  chmodSync(path, 0o700)
  for (const name of readdirSync(path)) makeWritable(join(path, name))
}
