/** `npm run bench NAME -- [OPTIONS]`: one file per benchmark, each exporting `run(words)`. */
type Benchmark = { run: (words: string[]) => Promise<void> }

const benchmarks: Record<string, () => Promise<Benchmark>> = {
  realise: () => import('./realise.ts'),
  idle: () => import('./idle.ts'),
}

const [name = '', ...words] = process.argv.slice(2)
const load = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined
if (load === undefined) {
  process.stderr.write(`Usage: npm run bench ${Object.keys(benchmarks).join('|')} -- [-o json]\n`)
  process.exitCode = 2
} else {
  await (await load()).run(words)
}
