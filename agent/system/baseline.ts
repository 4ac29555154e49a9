import { openServices } from './open-services.ts'
import { hasFailed, type ServiceManager } from './service-manager.ts'

/** How a host was before a switch: what was bad already is not the new system's fault. */
export type Baseline = {
  failedUnits: string[]
  reachableSources: string[]
}

export type BaselineOptions = {
  prefix: string
  /** What the last poll of each source found. */
  sources: readonly { name: string; ok: boolean }[]
  services?: ServiceManager
}

/**
 * Taken right before a switch, kept in the journal (it is plain JSON), compared with afterwards.
 */
export async function takeBaseline({
  prefix,
  sources,
  services = openServices({ prefix }),
}: BaselineOptions): Promise<Baseline> {
  return {
    failedUnits: (await services.list())
      .filter(hasFailed)
      .map(unit => unit.name)
      .sort(),
    reachableSources: sources.filter(source => source.ok).map(source => source.name),
  }
}
