/** The build side in memory, and hosts in plain directories that read a directory source. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Release, SignedDocument, StorePath } from '../../agent/codec/documents.ts'
import type { Status } from '../../agent/codec/report.ts'
import { encodeSeed } from '../../agent/codec/seed.ts'
import { writeDurably } from '../../agent/files/durable.ts'
import { addToStore } from '../../agent/store/add-to-store.ts'
import { openStore } from '../../agent/store/open-store.ts'
import { encodeLayout } from '../../agent/system/layout-file.ts'
import { writeCache } from '../../installer/cache-write.ts'
import { firstRoot, pinOf, releaseKey, releaseOf, signedRelease } from './fleet.ts'
import { writeTree } from './trees.ts'

const DAY_MS = 24 * 3600 * 1000
const main = join(import.meta.dirname, '../../agent/main.ts')

export type Recipe = {
  /** Under `/etc`, in the notation of `writeTree`. */
  etc?: Record<string, string>
  /** A probe of the kind `exec`: `/bin/true` or `/bin/false`. */
  health?: string[]
}

/** Publishes systems into `<directory>/source` and `<directory>/cache`. */
export class PlainOperator {
  readonly directory: string
  readonly source: string

  constructor(directory: string) {
    this.directory = directory
    this.source = join(directory, 'source')
    mkdirSync(join(this.source, 'root'), { recursive: true })
    mkdirSync(join(this.source, 'prod'), { recursive: true })
    this.#put('root/1.json', firstRoot)
  }

  /** A system of a few files, with a service that keeps running. */
  system(name: string, { etc = {}, health = ['/bin/true'] }: Recipe = {}): StorePath {
    const store = openStore(join(this.directory, 'build'))
    const add = (what: string, files: Record<string, string>, references: StorePath[]) => {
      const source = mkdtempSync(join(this.directory, `${what}-`))
      writeTree(source, files)
      return addToStore({ store, source, name: what, references }).path
    }
    try {
      const etcPath = add(`${name}-etc`, { 'release-name': `${name}\n`, ...etc }, [])
      const layout = encodeLayout({ name, services: 'plain', etc: etcPath })
      const probe = { kind: 'exec', command: health, timeoutSeconds: 5 }
      const files = {
        'layout.json': layout.toString(),
        'health/probe.json': JSON.stringify(probe),
      }
      return add(name, files, [etcPath])
    } finally {
      store.close()
    }
  }

  /** Release `version` wants `system` on the host `web`. */
  async publish(version: number, system: StorePath, changes: Partial<Release> = {}): Promise<void> {
    const directory = join(this.directory, 'cache')
    const store = openStore(join(this.directory, 'build'))
    const { systems } = await writeCache({ store, systems: [system], directory })
    store.close()
    const { closure, closureSize } = systems[0]!
    const release = releaseOf({
      version,
      issued: new Date(Date.now() - DAY_MS).toISOString(),
      expires: new Date(Date.now() + DAY_MS).toISOString(),
      caches: [`file://${directory}`],
      hosts: new Map([['web', { system, closure, closureSize }]]),
      ...changes,
    })
    this.#put('prod/release.json', signedRelease(release, releaseKey))
  }

  /** The signatures first: no reader sees a release without its own. */
  #put(name: string, { bytes, signatures }: SignedDocument): void {
    writeDurably(join(this.source, `${name}.sig`), signatures)
    writeDurably(join(this.source, name), bytes)
  }

  /** Gives the root `prefix` its seed and a quick configuration. */
  seed(prefix: string, config: object = {}): void {
    const seed = encodeSeed({
      fleet: 'demo',
      host: 'web',
      channel: 'prod',
      root: pinOf(firstRoot),
      sources: [{ directory: this.source }],
    })
    mkdirSync(join(prefix, 'var/lib/holdfast'), { recursive: true, mode: 0o700 })
    writeFileSync(join(prefix, 'var/lib/holdfast/seed.json'), seed)
    mkdirSync(join(prefix, 'etc/holdfast'), { recursive: true })
    writeFileSync(
      join(prefix, 'etc/holdfast/agent.json'),
      JSON.stringify({ ...quickConfig, ...config }),
    )
  }
}

export const quickConfig = {
  poll: { cron: '* * * * * *', jitterSeconds: 0 },
  switch: { deadlineSeconds: 60, probe: { passes: 1, intervalSeconds: 1, windowSeconds: 3 } },
  rollback: { deadlineSeconds: 60 },
  fetch: { workers: 1, reserveBytes: 0 },
}

export type Ran = { exit: number | string; stdout: string; stderr: string }

/** Runs `holdfast-agent` to its end. */
export function holdfastAgent(...words: string[]): Promise<Ran> {
  return new Promise(resolve => {
    execFile(process.execPath, [main, ...words], (error, stdout, stderr) => {
      resolve({ exit: error?.code ?? 0, stdout, stderr })
    })
  })
}

/** Starts `holdfast-agent run`, which ends with the test at the latest. */
export function startAgent(t: TestContext, prefix: string): ChildProcess {
  const agent = spawn(process.execPath, [main, 'run', '--prefix', prefix], { stdio: 'ignore' })
  t.after(() => agent.kill('SIGKILL'))
  return agent
}

/** What `status -o json` says; undefined while nobody answers. */
export async function statusOf(prefix: string): Promise<Status | undefined> {
  const { stdout } = await holdfastAgent('status', '--prefix', prefix, '-o', 'json')
  const answer = JSON.parse(stdout || '{}')
  return 'phase' in answer ? answer : undefined
}
