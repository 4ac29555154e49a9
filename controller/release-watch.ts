import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Release, Seed, SignedDocument } from '../agent/codec/documents.ts'
import { codeOf, isErrno, messageOf, RejectedError, UsageError } from '../agent/codec/errors.ts'
import { asConfig } from '../agent/codec/json-fields.ts'
import { decodeRelease } from '../agent/codec/release.ts'
import { decodeSeed } from '../agent/codec/seed.ts'
import { namespaces } from '../agent/codec/sshsig.ts'
import { openSource } from '../agent/source/open-source.ts'
import type { Source } from '../agent/source/source.ts'
import { requireQuorum } from '../agent/trust/quorum.ts'
import { extendChain } from '../agent/trust/root-chain.ts'
import { listVersions, trustedRoots } from '../installer/root-files.ts'
import type { Fleet } from './fleet.ts'
import type { Log } from './log.ts'
import { nearestProject } from './nearest-project.ts'
import { compareReleases } from './rollout.ts'

/** What the controller reads by itself: as a host would, and believed on the same terms. */
export type WatchConfig = Pick<Seed, 'fleet' | 'channel' | 'root' | 'sources'>

export type WatchOptions = {
  config: WatchConfig
  fleet: Pick<Fleet, 'takeRelease'>
  log: Log
  /** A directory for what a git source needs while it fetches. */
  scratch: string
  intervalMs?: number
}

const INTERVAL_MS = 5000
const POLL_MS_MAX = 60_000

/** From a seed file, or from the project; `watch` is absent where there is nothing to read yet. */
export function watchConfig(
  seedFile: string | undefined,
  projectFile: string | undefined,
): { fleet?: string; watch?: WatchConfig } {
  if (seedFile !== undefined) {
    const watch = asConfig(() => decodeSeed(readConfig(seedFile), seedFile))
    return { fleet: watch.fleet, watch }
  }
  const project = nearestProject(projectFile)
  if (project === undefined) return {}
  const { fleet, channel, sources } = project
  if (sources.length === 0 || listVersions(project.root).length === 0) return { fleet }
  const { root, digest } = trustedRoots(project.root)
  const pin = { version: root.version, sha256: digest }
  return { fleet, watch: { fleet, channel, sources, root: pin } }
}

function readConfig(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    const is = isErrno(cause, 'ENOENT') ? 'it does not exist' : messageOf(cause)
    throw new UsageError('missing', `Cannot open "${path}": ${is}`, { cause })
  }
}

/** Looks for releases until it is closed. Trouble is logged once, and never ends the controller. */
export function watchReleases(options: WatchOptions): { close(): Promise<void> } {
  const stop = new AbortController()
  const watch = new ReleaseWatch(options)
  const done = repeat(watch, options, stop.signal)
  return {
    async close() {
      stop.abort()
      await done
    },
  }
}

async function repeat(
  watch: ReleaseWatch,
  { log, intervalMs = INTERVAL_MS }: WatchOptions,
  signal: AbortSignal,
): Promise<void> {
  let trouble = ''
  while (!signal.aborted) {
    const problem = await watch.look(signal)
    if (problem !== undefined && problem.message !== trouble && !signal.aborted) {
      log.warn({ event: 'watch.failed', ...problem })
    }
    trouble = problem?.message ?? ''
    await wait(intervalMs, undefined, { signal, ref: false }).catch(() => undefined)
  }
}

class ReleaseWatch {
  readonly #config: WatchConfig
  readonly #fleet: WatchOptions['fleet']
  readonly #sources: { source: Source; seen?: string }[]
  #roots: SignedDocument[] = []
  #newest: Release | undefined

  constructor({ config, fleet, scratch }: WatchOptions) {
    this.#config = config
    this.#fleet = fleet
    const folder = join(scratch, 'scratch')
    this.#sources = config.sources.map(source => ({
      source: openSource(source, { scratch: folder }),
    }))
  }

  /** Asks each source in turn; the trouble of the last one that had any. */
  async look(signal: AbortSignal): Promise<{ code: string; message: string } | undefined> {
    let problem: { code: string; message: string } | undefined
    for (const entry of this.#sources) {
      try {
        await this.#poll(entry, AbortSignal.any([signal, AbortSignal.timeout(POLL_MS_MAX)]))
      } catch (error) {
        problem = { code: codeOf(error), message: messageOf(error) }
      }
    }
    return problem
  }

  async #poll(entry: { source: Source; seen?: string }, signal: AbortSignal): Promise<void> {
    const { channel, root: pin } = this.#config
    const result = await entry.source.poll({
      channel,
      rootVersion: pin.version - 1 + this.#roots.length,
      ...(entry.seen !== undefined && { seen: entry.seen }),
      signal,
    })
    if (result.kind === 'found') await this.#take(result.roots, result.release)
    entry.seen = result.tag
  }

  async #take(roots: SignedDocument[], document: SignedDocument): Promise<void> {
    const { fleet, channel, root: pin } = this.#config
    const chain = extendChain({ pin, trusted: this.#roots, roots, fleet })
    this.#roots = chain.documents
    const what = `${channel}/release.json`
    const { release: role } = chain.root.roles
    requireQuorum(document, { role, namespace: namespaces.release, what })
    const release = decodeRelease(document.bytes, what)
    const { epoch } = chain.root
    if (release.fleet !== fleet || release.channel !== channel || release.epoch !== epoch) {
      const is = 'it is of another fleet, channel or epoch'
      throw new RejectedError('other-fleet', `Cannot show "${what}": ${is}`)
    }
    if (this.#newest && compareReleases(release, this.#newest) <= 0) return
    await this.#fleet.takeRelease(release)
    this.#newest = release
  }
}
