import { chmodSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StorePath } from '../agent/codec/documents.ts'
import { type AddRequest, addToStore } from '../agent/store/add-to-store.ts'
import type { Store } from '../agent/store/store.ts'
import { type BuildCache, cachedPath } from './build-cache.ts'
import { bundleAgent } from './bundle.ts'
import { type LauncherOptions, launcherElf, type Machine } from './launcher.ts'
import { composeRuntime, findRuntime, nodeLauncher, type Runtime, runtimeFiles } from './runtime.ts'
import { withScratch } from './scratch.ts'

/** The agent in the store: what a system refers to, and what launchers in it start. */
export type AgentPackage = { path: StorePath; machine: Machine; program: string }

export type AgentPackageOptions = {
  store: Store
  cache: BuildCache
  /** The program that becomes the runtime; npm's Node by default. */
  node?: string
  /** The agent's entry in the sources; only tests have another. */
  main?: string
}

/**
 * Flags that every agent runs with: no warnings of Node's own on a host's console, and a young
 * generation of 1 MiB, so that what one rollout needed is not kept for ever.
 */
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=1']

/**
 * Packs the agent as three store paths, none of which names itself: the runtime, the JavaScript
 * with a launcher for Node, and `bin/holdfast-agent`. An agent that changed is then a few hundred
 * KiB.
 */
export async function packAgent(options: AgentPackageOptions): Promise<AgentPackage> {
  const { store } = options
  const runtime = findRuntime(options.node)
  const runtimePath = packRuntime(options, runtime)
  const code = await withScratch(store, async scratch => {
    await putBundle(scratch, options.main)
    writeLauncher(join(scratch, 'node'), nodeLauncher(runtime, runtimePath))
    return add({ store, source: scratch, name: 'holdfast-agent-code', references: [runtimePath] })
  })
  const path = await withScratch(store, async scratch => {
    mkdirSync(join(scratch, 'bin'))
    const node = join(code, 'node')
    const argv = ['node', ...NODE_FLAGS, join(code, 'holdfast-agent.js')]
    const launcher = { machine: runtime.machine, path: node, argv }
    writeLauncher(join(scratch, 'bin/holdfast-agent'), launcher)
    return add({ store, source: scratch, name: 'holdfast-agent', references: [code] })
  })
  return { path, machine: runtime.machine, program: join(path, 'bin/holdfast-agent') }
}

export function writeLauncher(file: string, options: LauncherOptions): void {
  writeFileSync(file, launcherElf(options))
  chmodSync(file, 0o755)
}

function packRuntime(options: AgentPackageOptions, runtime: Runtime): StorePath {
  const { store, cache } = options
  return cachedPath({ store, cache, name: 'runtime', sources: runtimeFiles(runtime) }, () =>
    withScratch(store, scratch => {
      composeRuntime(runtime, scratch)
      return add({ store, source: scratch, name: 'holdfast-runtime', references: [] })
    }),
  )
}

/** From the sources the bundle is made anew; an installed Holdfast has it beside itself. */
async function putBundle(directory: string, main: string | undefined): Promise<void> {
  const made = fileURLToPath(new URL('./agent', import.meta.url))
  if (import.meta.url.endsWith('.js') && existsSync(made))
    cpSync(made, directory, { recursive: true })
  else await bundleAgent(directory, main)
}

function add(request: AddRequest): StorePath {
  return addToStore(request).path
}
