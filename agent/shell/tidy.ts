import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, messageOf } from '../codec/errors.ts'
import { syncDirectory } from '../files/durable.ts'
import { removeTree, stagingDirectory } from '../store/staging.ts'
import { generations, PROFILES, readProfile } from '../system/profile.ts'
import { bootedSystem, runningSystem } from '../system/running.ts'
import type { Parts } from './parts.ts'

/** Generations that stay rooted: enough to go back further than one bad release. */
const GENERATIONS_KEPT = 5

/** Drops what no step needs any more. A failure harms nothing: the next rest tries again. */
export function tidy({ places: { prefix }, store, log }: Parts): undefined {
  try {
    store.removeRoot('staged')
    removeTree(stagingDirectory(prefix))
    dropGenerations(prefix)
  } catch (error) {
    log.warn({ event: 'tidy.failed', code: codeOf(error), message: messageOf(error) })
  }
}

/** The profile's links are what roots a generation; what runs or was booted keeps its own. */
function dropGenerations(prefix: string): void {
  const kept = [readProfile(prefix)?.system, runningSystem(prefix), bootedSystem(prefix)]
  const old = generations(prefix)
    .slice(0, -GENERATIONS_KEPT)
    .filter(({ system }) => !kept.includes(system))
  for (const { generation } of old) {
    rmSync(join(prefix, PROFILES, `system-${generation}-link`), { force: true })
  }
  if (old.length > 0) syncDirectory(join(prefix, PROFILES))
}
