import type { UnitProbe } from '../codec/health.ts'
import type { Baseline } from './baseline.ts'
import { ProbeError, type ProbeFailure } from './probe-result.ts'
import { hasFailed, type LoadedUnit } from './service-manager.ts'

/** Passes when the unit is active. */
export function probeUnit({ unit }: UnitProbe, loaded: readonly LoadedUnit[]): void {
  const found = loaded.find(one => one.name === unit)
  if (found === undefined) throw new ProbeError(`unit ${unit} is not loaded, wanted active`)
  if (found.active !== 'active') {
    throw new ProbeError(`unit ${unit} is ${found.active} (${found.sub}), wanted active`)
  }
}

/** Units that have failed, and had not before the switch. */
export function newlyFailed(loaded: readonly LoadedUnit[], baseline: Baseline): ProbeFailure[] {
  return loaded
    .filter(unit => hasFailed(unit) && !baseline.failedUnits.includes(unit.name))
    .map(unit => ({
      probe: 'units',
      code: 'unit-failed',
      message: `unit ${unit.name} has failed (${unit.sub}), and had not before the switch`,
    }))
}
