/**
 * `npm run demo`: the main job from its beginning to its end, on real parts. A git server, a binary
 * cache, a controller and three hosts; then a good release, a bad one, one without the controller
 * and one with a power cut. `--keep` leaves everything running, `--plain` uses plain directories
 * even where containers are possible, `-o json` prints one JSON object.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { removeTree } from '../../agent/store/staging.ts'
import { ensureNetwork, removeNetwork } from '../../controller/providers/host-network.ts'
import { bundleAll } from '../../installer/bundle.ts'
import { debianRootfs } from '../support/debian-rootfs.ts'
import { type Fleet, openFleet } from './fleet.ts'
import { nspawnHosts } from './hosts.ts'
import { plainHosts } from './plain-hosts.ts'
import { type Step, story } from './story.ts'
import type { DemoMode } from './systems.ts'

type Outcome = { id: string; title: string; ok: boolean; seconds: number; detail: string }

const LEFT_OUT =
  'Without root or namespaces the hosts are plain directories: no systemd, no containers and no ' +
  'network of their own; services are processes started from each store'

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    plain: { type: 'boolean', default: false },
    output: { type: 'string', short: 'o', default: 'text' },
  },
})
const started = Date.now()
const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupt.abort())
process.exit(await main())

async function main(): Promise<number> {
  const mode: DemoMode = values.plain || !canContain() ? 'plain' : 'nspawn'
  if (mode === 'plain') say(LEFT_OUT)
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-demo-'))
  let fleet: Fleet | undefined
  const outcomes: Outcome[] = []
  try {
    fleet = await setUp(mode, directory)
    say(`the fleet's page: ${fleet.page}`)
    outcomes.push(...(await tell(fleet)))
  } catch (error) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
    outcomes.push({ id: 'set-up', title: 'set-up', ok: false, seconds: seconds(started), detail })
  }
  report(mode, outcomes)
  if (values.keep && fleet !== undefined) await keepUntilInterrupted(fleet)
  await cleanUp(fleet, directory)
  return outcomes.length === story.length && outcomes.every(outcome => outcome.ok) ? 0 : 1
}

async function setUp(mode: DemoMode, directory: string): Promise<Fleet> {
  say('bundling holdfast and holdfast-agent')
  await bundleAll()
  if (mode === 'plain') {
    const hosts = plainHosts(join(directory, '.holdfast/hosts'))
    return await openFleet({ mode, directory, rootfs: undefined, hosts, address: '127.0.0.1' })
  }
  say('a Debian root file system with systemd (kept for the next time)')
  const rootfs = await debianRootfs()
  const hostsDirectory = join(directory, '.holdfast/hosts')
  const { gateway } = await ensureNetwork(hostsDirectory)
  const hosts = nspawnHosts(hostsDirectory)
  return await openFleet({ mode, directory, rootfs, hosts, address: gateway })
}

/** Runs the steps in order; after one that failed the rest would only fail for its reason. */
async function tell(fleet: Fleet): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const step of story) {
    const outcome = await runStep(fleet, step)
    outcomes.push(outcome)
    say(`${outcome.ok ? 'ok' : 'FAILED'}  ${step.id}: ${outcome.detail}`)
    if (!outcome.ok) break
  }
  return outcomes
}

async function runStep(fleet: Fleet, step: Step): Promise<Outcome> {
  const { id, title } = step
  say(`${id}: ${title}`)
  const begun = Date.now()
  try {
    const detail = await Promise.race([step.run(fleet, line => say(`   ${line}`)), interrupted()])
    return { id, title, ok: true, seconds: seconds(begun), detail }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return { id, title, ok: false, seconds: seconds(begun), detail }
  }
}

function report(mode: DemoMode, outcomes: Outcome[]): void {
  const total = seconds(started)
  const ok = outcomes.length === story.length && outcomes.every(outcome => outcome.ok)
  if (values.output === 'json') {
    const leftOut = mode === 'plain' ? LEFT_OUT : undefined
    process.stdout.write(
      `${JSON.stringify({ ok, mode, leftOut, seconds: total, steps: outcomes })}\n`,
    )
    return
  }
  const rows = outcomes.map(({ id, ok, seconds, detail }) => {
    const verdict = ok ? 'held' : 'FAILED'
    return `  ${id.padEnd(7)} ${verdict.padEnd(7)} ${seconds.toFixed(1).padStart(6)} s  ${detail}`
  })
  const verdict = ok ? 'everything held' : 'NOT everything held'
  process.stdout.write(
    `\n${rows.join('\n')}\n  ${verdict} in ${total.toFixed(1)} s (${mode} hosts)\n`,
  )
}

async function keepUntilInterrupted(fleet: Fleet): Promise<void> {
  say(`everything stays up: ${fleet.page} and, in ${fleet.directory}, holdfast get hosts`)
  say('Ctrl-C ends it and cleans up')
  await interrupted().catch(() => {})
}

/** Fails once somebody wants the demo to end, and until then keeps it alive. */
function interrupted(): Promise<never> {
  return new Promise((_, reject) => {
    const hold = setInterval(() => {}, 60_000)
    const end = () => {
      clearInterval(hold)
      reject(new Error('interrupted'))
    }
    if (interrupt.signal.aborted) end()
    else interrupt.signal.addEventListener('abort', end)
  })
}

async function cleanUp(fleet: Fleet | undefined, directory: string): Promise<void> {
  if (fleet !== undefined) {
    await fleet.close()
  }
  await removeNetwork(join(directory, '.holdfast/hosts')).catch(() => {})
  removeTree(directory)
}

/** Whether this machine lets us make containers with networks of their own. */
function canContain(): boolean {
  if (process.getuid?.() !== 0) return false
  const words = ['--mount', '--pid', '--net', '--uts', '--ipc', '--fork', 'true']
  if (spawnSync('unshare', words).status !== 0) return false
  try {
    execFileSync('systemd-nspawn', ['--version'], { stdio: 'ignore' })
    execFileSync('ip', ['-V'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function seconds(since: number): number {
  return Math.round((Date.now() - since) / 100) / 10
}

function say(line: string): void {
  process.stderr.write(`[${seconds(started).toFixed(1).padStart(6)} s] ${line}\n`)
}
