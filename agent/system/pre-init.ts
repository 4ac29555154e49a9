import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { decodeRegistration } from '../codec/registration.ts'
import { syncDirectory } from '../files/durable.ts'
import { openStore } from '../store/open-store.ts'
import { makeDirectories } from './directories.ts'
import { activateEtc } from './etc-activation.ts'
import { copyFirstContent } from './first-content.ts'
import { carrySeed, ensureHostName, ensureMachineId } from './identity.ts'
import { readLayout } from './layout-file.ts'
import { ensureLink } from './links.ts'
import { commitProfile, PROFILES, readProfile } from './profile.ts'
import { linkRoot } from './root-links.ts'

export type PreInitOptions = {
  /** The root to make; `/` on the host itself. */
  prefix: string
  /** The system to make it from; its closure is in the root's store. */
  system: StorePath
  env: NodeJS.ProcessEnv
  /** A seed for a root that has none. */
  seedFile?: string
}

/** A step that failed; the ones after it were done all the same. */
export type PreInitProblem = { step: string; error: unknown }

/**
 * What an image carries beside its store: the store's registration, as `nix-store --dump-db`
 * writes it.
 */
const REGISTRATION = 'nix-path-registration'

/**
 * Makes a root out of a bare store, or puts one right: `/usr`, `/etc` and so on become the
 * system's again, whatever was being tested when the power went. Every step may be repeated and
 * looks at what is there, not at what was done before. A step that fails does not keep the others
 * from being done: a host that comes up without its history is better than one that does not come
 * up.
 */
export function preInit(options: PreInitOptions): PreInitProblem[] {
  const { prefix, system, env } = options
  const layout = readLayout(prefix, system)
  const steps: [step: string, run: () => void][] = [
    ['directories', () => makeDirectories(prefix)],
    ['root links', () => void (layout.rootfs && linkRoot({ prefix, rootfs: layout.rootfs }))],
    ['etc', () => void activateEtc({ prefix, etc: layout.etc })],
    ['machine id', () => ensureMachineId(prefix, env)],
    ['first content', () => layout.rootfs && copyFirstContent({ prefix, rootfs: layout.rootfs })],
    ['seed', () => carrySeed(prefix, env, options.seedFile)],
    ['host name', () => ensureHostName(prefix)],
    ['registration', () => loadRegistration(prefix)],
    ['profile', () => commitFirst(prefix, system)],
    ['init link', () => void ensureLink(join(prefix, 'init'), `${PROFILES}/system/init`)],
  ]
  const problems: PreInitProblem[] = []
  for (const [step, run] of steps) {
    try {
      run()
    } catch (error) {
      problems.push({ step, error })
    }
  }
  return problems
}

/** The file goes once its content is durable, so that what was collected later never comes back. */
function loadRegistration(prefix: string): void {
  const file = join(prefix, REGISTRATION)
  if (!existsSync(file)) return
  const infos = decodeRegistration(readFileSync(file))
  const store = openStore(prefix)
  try {
    const missing = infos.filter(
      info => !store.has(info.path) && existsSync(store.physical(info.path)),
    )
    if (missing.length > 0) store.register(missing)
  } finally {
    store.close()
  }
  rmSync(file)
  syncDirectory(prefix)
}

/** A root that has a committed system keeps it: only a switch that proved healthy moves it. */
function commitFirst(prefix: string, system: StorePath): void {
  if (readProfile(prefix) === undefined) commitProfile(prefix, system)
}
