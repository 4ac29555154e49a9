/**
 * Fetching a closure, against the newest Nix: `nix copy --from` and `nix-store -r`. All from one
 * server, each into a store on a file system made for that run, in turns.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, statfsSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle } from '../../installer/bundle.ts'
import { type GeneratedCache, generatedCache } from './closure-generator.ts'
import { type Measured, measure, median } from './measure.ts'
import { nixCommand, nixRoot, nixVersion } from './nix-root.ts'

const usage = `Usage: npm run bench realise -- [OPTIONS]
  --pairs=N        Rounds, of one run of each (5)
  --mib=N          Size of the closure (1180)
  --paths=N        Store paths in it (520)
  --depth=N        Layers of references (25)
  --latency=MS     Round trip of the wire before the server (0)
  --seed=N         Of the generator (1)
  --disk=KIND      tmpfs, or ext4 in an image in memory, whose write-out costs these cores (tmpfs)
  --only=NAME,…    Some of: holdfast, nix copy, nix-store -r, nix copy fsync
  -o json          One JSON object on standard output
`

type Options = {
  pairs: number
  latency: number
  disk: Disk
  shape: { seed: number; paths: number; bytes: number; depth: number }
  only: string[] | undefined
  json: boolean
}
type Contestant = { name: string; command: (url: string) => string[] }
type Disk = 'ext4' | 'tmpfs'
type Place = { disk: Disk; mount: string; image: string; programs: string }

export async function run(words: string[]): Promise<void> {
  const options = readOptions(words)
  if (options === undefined) {
    process.stderr.write(usage)
    process.exitCode = 2
    return
  }
  if (process.env.HOLDFAST_BENCH_NAMESPACE === undefined) inOwnMounts(words)
  else await compare(options)
}

function readOptions(words: string[]): Options | undefined {
  const number = (value: string) => ({ type: 'string', default: value }) as const
  try {
    const { values } = parseArgs({
      args: words.filter(word => word !== '--'),
      options: {
        pairs: number('5'),
        mib: number('1180'),
        paths: number('520'),
        depth: number('25'),
        latency: number('0'),
        seed: number('1'),
        disk: { type: 'string', default: 'tmpfs' },
        only: { type: 'string' },
        output: { type: 'string', short: 'o' },
      },
    })
    const [pairs, mib, paths, depth, latency, seed] = (
      ['pairs', 'mib', 'paths', 'depth', 'latency', 'seed'] as const
    ).map(name => Number(values[name])) as [number, number, number, number, number, number]
    if ([pairs, mib, paths, depth, latency, seed].some(Number.isNaN)) return undefined
    const shape = { seed, paths, bytes: mib * 2 ** 20, depth }
    const only = values.only?.split(',')
    const { disk } = values
    if (disk !== 'ext4' && disk !== 'tmpfs') return undefined
    return { pairs, latency, disk, shape, only, json: values.output === 'json' }
  } catch {
    return undefined
  }
}

/** Runs this benchmark again where its mounts are seen by nobody else, and vanish with it. */
function inOwnMounts(words: string[]): void {
  const again = [process.execPath, ...process.execArgv, process.argv[1]!, 'realise', ...words]
  execFileSync('unshare', ['--mount', '--propagation', 'private', ...again], {
    env: { ...process.env, HOLDFAST_BENCH_NAMESPACE: '1' },
    stdio: 'inherit',
  })
}

async function compare(options: Options): Promise<void> {
  const cacheDirectory = process.env.HOLDFAST_CACHE ?? join(homedir(), '.cache/holdfast')
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  say('making the closure and the peer, once')
  const cache = generatedCache(cacheDirectory, options.shape)
  const root = nixRoot(cacheDirectory)
  execFileSync('mount', ['-t', 'proc', 'proc', join(root, 'proc')])
  const place = makePlace(options.disk, cacheDirectory, join(root, 'mnt'))
  await bundlePrograms(place.programs)
  const contestants = contestantsFor(cache, root, place).filter(({ name }) => {
    return options.only === undefined ? name !== 'nix copy fsync' : options.only.includes(name)
  })
  const runs = new Map<string, Measured[]>(contestants.map(({ name }) => [name, []]))
  const server = await startServer(cache.directory, options.latency)
  try {
    // The first round finds cold caches and is not counted.
    for (let pair = 0; pair <= options.pairs; pair++) {
      for (const { name, command } of contestants) {
        freshFileSystem(place)
        const measured = await measure(command(server.url))
        requireWhole(place, cache)
        if (pair > 0) runs.get(name)!.push(measured)
        say(`${pair}/${options.pairs}  ${describe(name, measured)}`)
      }
    }
  } finally {
    server.stop()
    for (const path of [place.image, place.programs]) rmSync(path, { recursive: true, force: true })
  }
  print(options, summarise(options, cache, runs, nixVersion(root)))
}

/** The image lies in memory where there is enough of it, so that no disk's mood is measured. */
function makePlace(disk: Disk, cacheDirectory: string, mount: string): Place {
  const shared = statfsSync('/dev/shm')
  const roomy = shared.bavail * shared.bsize > 6 * 2 ** 30
  const image = join(roomy ? '/dev/shm' : cacheDirectory, `holdfast-bench-${process.pid}.img`)
  return { disk, mount, image, programs: `${image}.programs` }
}

/** As on a host, where nothing is left to compile: running from source takes 80 MiB more. */
async function bundlePrograms(directory: string): Promise<void> {
  const entries = {
    'realise-program': 'test/support/realise-program.ts',
    'realise-worker': 'agent/store/realise-worker.ts',
  }
  await bundle({ entries, directory, minify: true })
}

/**
 * The image is filled once and used again: a disk has its blocks already, whereas memory that is
 * taken anew for every block written would be a fifth of what is measured.
 */
function freshFileSystem({ disk, mount, image }: Place): void {
  execFileSync('sh', ['-c', 'umount "$0" 2>/dev/null || true', mount])
  if (disk === 'tmpfs') {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=5g', 'tmpfs', mount])
  } else {
    const fill = '[ -e "$0" ] || dd if=/dev/zero of="$0" bs=1M count=4096 status=none'
    execFileSync('sh', ['-c', fill, image])
    const options = 'nodiscard,lazy_itable_init=0,lazy_journal_init=0'
    execFileSync('mkfs.ext4', ['-q', '-F', '-E', options, image])
    execFileSync('mount', ['-o', 'loop', image, mount])
  }
  for (const name of ['home', 'store']) mkdirSync(join(mount, name))
}

function contestantsFor(cache: GeneratedCache, root: string, place: Place): Contestant[] {
  const program = join(place.programs, 'realise-program.js')
  const manifest = join(cache.directory, 'closures', `${cache.closure}.json`)
  const own = join(place.mount, 'store')
  const to = 'local?root=/mnt/store'
  const copy = (url: string, to: string) =>
    nixCommand(root, ['nix', 'copy', '--no-check-sigs', '--from', url, '--to', to, cache.system])
  return [
    { name: 'holdfast', command: url => [process.execPath, program, own, manifest, url] },
    { name: 'nix copy', command: url => copy(url, to) },
    {
      name: 'nix-store -r',
      command: url => {
        const substituters = ['--option', 'substituters', url]
        return nixCommand(root, ['nix-store', '--store', to, ...substituters, '-r', cache.system])
      },
    },
    {
      name: 'nix copy fsync',
      command: url => [...copy(url, to), '--option', 'fsync-store-paths', 'true'],
    },
  ]
}

/** Whoever was fast by leaving something out is found out. */
function requireWhole(place: Place, cache: GeneratedCache): void {
  const store = join(place.mount, 'store/nix/store')
  const count = execFileSync('sh', ['-c', 'find "$0" -mindepth 3 -type f | wc -l', store], {
    encoding: 'utf8',
  })
  // Beside the counted files, every path has one list of its references one level higher.
  if (Number(count) < cache.files * 0.99) throw new Error(`only ${count.trim()} files were written`)
}

async function startServer(directory: string, latency: number) {
  const program = join(import.meta.dirname, 'cache-server.ts')
  const child = spawn(process.execPath, [program, directory, String(latency)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const [port] = (await once(child.stdout!, 'data')) as [Buffer]
  return { url: `http://127.0.0.1:${port.toString().trim()}`, stop: () => void child.kill() }
}

function summarise(
  options: Options,
  cache: GeneratedCache,
  runs: Map<string, Measured[]>,
  version: string,
) {
  const results = [...runs].map(([name, measured]) => ({
    name,
    seconds: round(median(measured.map(one => one.seconds))),
    cpuSeconds: round(median(measured.map(one => one.cpuSeconds))),
    peakMiB: Math.round(Math.max(...measured.map(one => one.peakMiB))),
    runs: measured.map(one => round(one.seconds)),
  }))
  const own = results.find(({ name }) => name === 'holdfast')
  const peers = results.filter(({ name }) => name === 'nix copy' || name === 'nix-store -r')
  const best = peers.toSorted((a, b) => a.seconds - b.seconds)[0]
  const { paths, files, narBytes, fileBytes, depth } = cache
  return {
    nix: version,
    cores: availableParallelism(),
    latencyMs: options.latency,
    closure: { paths, files, narBytes, fileBytes, depth },
    results,
    ...(own &&
      best && {
        faster: best.name,
        ratio: round(best.seconds / own.seconds),
        cpuRatio: round(own.cpuSeconds / best.cpuSeconds),
      }),
  }
}

function print(options: Options, summary: ReturnType<typeof summarise>): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`)
    return
  }
  for (const result of summary.results) {
    process.stdout.write(`${describe(result.name, result)}\n`)
  }
  const { ratio, faster, cpuRatio, nix } = summary
  if (ratio === undefined) return
  const line = `${ratio} times as fast as ${faster} of Nix ${nix}, with ${cpuRatio} times its CPU`
  process.stdout.write(`${line}\n`)
}

function describe(name: string, { seconds, cpuSeconds, peakMiB }: Measured): string {
  const figures = `${seconds.toFixed(2)} s  CPU ${cpuSeconds.toFixed(2)} s`
  return `${name.padEnd(16)} ${figures}  peak ${Math.round(peakMiB)} MiB`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
