/**
 * Bundles the two programs: `dist/holdfast.js`, and `dist/agent/` with what a target needs and no
 * more. `npm run build` runs it; `holdfast build` packs the agent's.
 */
import { globSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lateCommonJs } from './late-common-js.ts'

export type BundleOptions = {
  /** Output name → source file. Workers keep their own names, as their users address them so. */
  entries: Record<string, string>
  directory: string
  minify: boolean
  /** Left as imports: found in node_modules where the bundle runs. */
  external?: string[]
}

const top = fileURLToPath(new URL('..', import.meta.url))

/** Parts of the bundles are CommonJS and call `require` for Node's own modules. */
const BANNER = `import { createRequire as holdfastRequire } from 'node:module';
const require = holdfastRequire(import.meta.url);`

/** Bundles into an empty `directory`; the same sources give the same bytes. */
export async function bundle(options: BundleOptions): Promise<void> {
  const { build } = await import('esbuild')
  await build({
    absWorkingDir: top,
    entryPoints: options.entries,
    outdir: options.directory,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: options.minify,
    legalComments: 'none',
    charset: 'utf8',
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    banner: { js: BANNER },
    external: options.external ?? [],
    plugins: [lateCommonJs],
    logLevel: 'error',
  })
}

/** The agent as it is installed: `holdfast-agent.js`, its workers and what they share. */
export async function bundleAgent(directory: string, main = 'agent/main.ts'): Promise<void> {
  const entries = { 'holdfast-agent': main, ...workers(['agent']) }
  await bundle({ entries, directory, minify: true })
  // No package.json lies above it in a store, and without one Node has to guess, for every file.
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}\n')
}

/** The operator's program; esbuild itself stays outside, as the agent's bundle lies beside it. */
export async function bundleHoldfast(directory: string): Promise<void> {
  const entries = {
    holdfast: 'controller/start.ts',
    ...workers(['agent', 'installer', 'controller']),
  }
  await bundle({ entries, directory, minify: false, external: ['esbuild'] })
}

function workers(folders: string[]): Record<string, string> {
  const files = folders.flatMap(folder => globSync(`${folder}/**/*-worker.ts`, { cwd: top })).sort()
  return Object.fromEntries(files.map(file => [basename(file, '.ts'), file]))
}

/** Both programs into `dist`, replaced as a whole. */
export async function bundleAll(): Promise<void> {
  const fresh = join(top, 'dist.new')
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh)
  await bundleHoldfast(fresh)
  await bundleAgent(join(fresh, 'agent'))
  rmSync(join(top, 'dist'), { recursive: true, force: true })
  renameSync(fresh, join(top, 'dist'))
}

// A part of the bundle itself, where `main` means the whole program.
if (import.meta.main && import.meta.filename.endsWith('bundle.ts')) await bundleAll()
