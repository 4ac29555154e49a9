import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import type { SourceConfig } from '../../agent/codec/documents.ts'
import { startFileServer } from '../support/file-server.ts'
import { startGitServer } from '../support/git-server.ts'
import { makeRepository, writeTree } from '../support/tree-repository.ts'
import type { WireBytes } from '../support/wire-bytes.ts'
import type { Order, Weight } from './idle-poller.ts'

const POLLS = 100
const PAUSE_MS = 50
const top = join(import.meta.dirname, '../..')
const execute = promisify(execFile)

type Row = Weight & { source: string; bytesPerPoll: number; requestsPerPoll: number }
type Case = { source: string; config?: SourceConfig; bytes?: () => WireBytes; requests?: string[] }

/** Bytes on the wire and weight of a process that polls sources which have nothing new. */
export async function run(words: string[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-idle-'))
  try {
    const rows = await measureAll(directory)
    if (words.includes('json')) process.stdout.write(`${JSON.stringify(rows)}\n`)
    else for (const row of rows) process.stdout.write(`${format(row)}\n`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function measureAll(directory: string): Promise<Row[]> {
  await bundle(directory)
  const tree = join(directory, 'tree')
  const files = { 'prod/release.json': '{}', 'prod/release.json.sig': 'sig', 'root/1.json': '{}' }
  mkdirSync(tree)
  writeTree(tree, files)
  const repository = makeRepository(directory)
  repository.commit(files)
  const git = await startGitServer({ directory })
  const http = await startFileServer({ directory: tree })
  const repositoryUrl = `${git.url}/fleet.git`
  const cases: Case[] = [
    { source: 'none' },
    { source: 'directory', config: { directory: tree } },
    { source: 'git', config: { git: repositoryUrl, branch: 'main' }, ...git },
    { source: 'http', config: { http: http.url }, ...http },
  ]
  try {
    const rows: Row[] = []
    for (const each of cases) rows.push(await measure(each, directory))
    return rows
  } finally {
    await git.close()
    await http.close()
  }
}

/** As on a host: bundled, with nothing loaded before it is needed. */
async function bundle(directory: string): Promise<void> {
  await build({
    entryPoints: ['test/bench/idle-poller.ts', 'agent/source/git-worker.ts'].map(path => {
      return join(top, path)
    }),
    outdir: join(directory, 'bundle'),
    entryNames: '[name]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    },
  })
  execFileSync('sh', ['-c', 'echo \'{"type":"module"}\' > bundle/package.json'], { cwd: directory })
}

async function measure({ source, config, bytes, requests }: Case, directory: string): Promise<Row> {
  const order: Order = { scratch: join(directory, 'scratch'), polls: POLLS, pauseMs: PAUSE_MS }
  const program = join(directory, 'bundle/idle-poller.js')
  const cost = (polls: number) => {
    return inProcess(program, { ...order, ...(config && { config }), polls })
  }
  // The difference of two runs is what polls cost, without what starting costs.
  const [first, countFirst] = [bytes?.(), requests?.length ?? 0]
  await cost(0)
  const [middle, countMiddle] = [bytes?.(), requests?.length ?? 0]
  const weight = await cost(POLLS)
  const [last, countLast] = [bytes?.(), requests?.length ?? 0]
  const total = between(middle, last) - between(first, middle)
  const count = countLast - countMiddle - (countMiddle - countFirst)
  return { source, bytesPerPoll: total / POLLS, requestsPerPoll: count / POLLS, ...weight }
}

function between(before: WireBytes | undefined, after: WireBytes | undefined): number {
  if (before === undefined || after === undefined) return 0
  return after.sent + after.received - before.sent - before.received
}

async function inProcess(program: string, order: Order): Promise<Weight> {
  const { stdout } = await execute(process.execPath, [program, JSON.stringify(order)])
  return JSON.parse(stdout) as Weight
}

function format(row: Row): string {
  const number = (value: number, digits = 1) => value.toFixed(digits).padStart(7)
  return [
    row.source.padEnd(10),
    `${number(row.bytesPerPoll)} bytes`,
    `${number(row.requestsPerPoll, 2)} requests`,
    `${number(row.rssMiB)} MiB resident`,
    `${number(row.anonymousMiB)} MiB anonymous`,
    `${number(row.cpuMsPerPoll, 2)} ms CPU per poll`,
  ].join('  ')
}
