import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../agent/codec/documents.ts'
import { addToStore } from '../agent/store/add-to-store.ts'
import type { Store } from '../agent/store/store.ts'
import { encodeLayout, type Layout } from '../agent/system/layout-file.ts'
import { type AgentPackage, packAgent, writeLauncher } from './agent-package.ts'
import { type BuildCache, cachedPath, openBuildCache } from './build-cache.ts'
import type { BuildFile } from './build-file.ts'
import { composeEtc } from './compose-etc.ts'
import { copyInto, describeLosses, noLosses } from './copy-tree.ts'
import { EXECFN } from './launcher.ts'
import { packProbes } from './pack-probes.ts'
import { findReferences } from './references.ts'
import { withScratch } from './scratch.ts'

export type BuildOptions = {
  store: Store
  build: BuildFile
  /** The program that becomes the runtime; npm's Node by default. */
  node?: string
  /** The agent's entry in the sources; only tests have another. */
  agentMain?: string
  say?: (line: string) => void
}

export type BuildResult = { name: string; system: StorePath; paths: Record<string, StorePath> }

/** What of a root file system is packed; `etc` goes to a path of its own, the rest a host makes. */
const ROOTFS_FOLDERS = new Set(['usr', 'var', 'root', 'home', 'srv', 'opt'])
/** What is of one machine, or can be fetched again. */
const ROOTFS_SKIPPED = new Set([
  'var/lib/systemd/random-seed',
  'var/lib/dbus/machine-id',
  'var/cache/apt/archives',
  'var/cache/apt/pkgcache.bin',
  'var/cache/apt/srcpkgcache.bin',
  'var/cache/ldconfig',
  'var/lib/apt/lists',
])

/**
 * Packs a system as content-addressed store paths, registered and flushed, and answers its path.
 * The same sources give the same path on every machine.
 */
export async function buildSystem(options: BuildOptions): Promise<BuildResult> {
  const { store, build } = options
  const cache = openBuildCache(store)
  const losses = noLosses()
  const agent = await agentOf(options, cache)
  const rootfs = packRootfs(options, cache)
  const packages = new Map(
    [...build.packages].map(([name, folder]) => [name, packFolder(store, { cache, name, folder })]),
  )
  const known = [...packages.values(), ...(agent === undefined ? [] : [agent.path])]
  const etc = withScratch(store, scratch => {
    composeEtc({ build, packages, agent, losses }, scratch)
    return add(store, { source: join(scratch, 'etc'), name: 'etc', candidates: known })
  })
  const layout: Layout = {
    name: build.name,
    services: build.services,
    ...(build.init === undefined ? {} : { init: build.init }),
    ...(rootfs === undefined ? {} : { rootfs }),
    etc,
    ...(agent === undefined ? {} : { agent: agent.path }),
  }
  const system = packSystem(options, { layout, agent, packages })
  const parts = { ...(rootfs && { rootfs }), etc, ...(agent && { agent: agent.path }) }
  return { name: build.name, system, paths: { ...parts, ...Object.fromEntries(packages) } }
}

async function agentOf(
  options: BuildOptions,
  cache: BuildCache,
): Promise<AgentPackage | undefined> {
  const { store, build, node, agentMain } = options
  if (build.agent === undefined) return undefined
  const optional = { ...(node && { node }), ...(agentMain && { main: agentMain }) }
  return packAgent({ store, cache, ...optional })
}

function packRootfs(options: BuildOptions, cache: BuildCache): StorePath | undefined {
  const { store, build, say } = options
  const { rootfs } = build
  if (rootfs === undefined) return undefined
  return cachedPath({ store, cache, name: 'rootfs', sources: [rootfs] }, () =>
    withScratch(store, scratch => {
      const losses = noLosses()
      copyInto(rootfs, scratch, { leaveOut: isLeftOut, losses })
      const lost = describeLosses(losses)
      if (lost !== undefined) say?.(`A store path cannot hold everything of "${rootfs}": ${lost}`)
      return add(store, { source: scratch, name: 'rootfs', candidates: [] })
    }),
  )
}

function isLeftOut(name: string): boolean {
  return name.includes('/') ? ROOTFS_SKIPPED.has(name) : !ROOTFS_FOLDERS.has(name)
}

function packFolder(
  store: Store,
  of: { cache: BuildCache; name: string; folder: string },
): StorePath {
  const { cache, name, folder } = of
  return cachedPath({ store, cache, name: `package ${name}`, sources: [folder] }, () =>
    add(store, { source: folder, name, candidates: [] }),
  )
}

type SystemParts = {
  layout: Layout
  agent: AgentPackage | undefined
  packages: Map<string, StorePath>
}

function packSystem({ store, build }: BuildOptions, parts: SystemParts): StorePath {
  const { layout, agent, packages } = parts
  return withScratch(store, scratch => {
    writeFileSync(join(scratch, 'layout.json'), encodeLayout(layout))
    writeFileSync(join(scratch, 'system'), `${agent?.machine ?? hostMachine()}-linux\n`)
    linkParts(scratch, layout)
    if (agent !== undefined) writeLaunchers(scratch, agent)
    if (build.health !== undefined) packProbes(build.health, join(scratch, 'health'), packages)
    const candidates = [layout.rootfs, layout.etc, layout.agent, ...packages.values()]
    return add(store, {
      source: scratch,
      name: `${build.name}-system`,
      candidates: candidates.filter(path => path !== undefined),
    })
  })
}

/**
 * The parts of a system by name, for people and for programs: `/run/current-system/agent/bin/…`.
 */
function linkParts(directory: string, { etc, rootfs, agent }: Layout): void {
  symlinkSync(etc, join(directory, 'etc'))
  if (rootfs !== undefined) symlinkSync(rootfs, join(directory, 'rootfs'))
  if (agent !== undefined) symlinkSync(agent, join(directory, 'agent'))
}

function hostMachine(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64'
}

function writeLaunchers(directory: string, agent: AgentPackage): void {
  mkdirSync(join(directory, 'bin'))
  const start = (file: string, words: string[], after: string[] = []) => {
    const argv = ['holdfast-agent', 'layout', ...words, '--exec', EXECFN, ...after]
    writeLauncher(join(directory, file), { machine: agent.machine, path: agent.program, argv })
  }
  // Words for the real init are not ours to read.
  start('init', ['init'], ['--'])
  start('pre-init', ['pre-init'])
  start('bin/switch-to-configuration', ['switch-to-configuration'])
}

function add(
  store: Store,
  tree: { source: string; name: string; candidates: StorePath[] },
): StorePath {
  const { source, name, candidates } = tree
  const references = findReferences(source, candidates)
  return addToStore({ store, source, name, references }).path
}
