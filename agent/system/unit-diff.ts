import { type UnitSections, unitValues } from './unit-files.ts'

/**
 * What a changed definition asks of a unit that runs, the least first. `start` starts again what is
 * running: nothing happens to the unit itself, but what it newly requires or wants is pulled in.
 */
export type UnitChange = 'none' | 'start' | 'reload' | 'restart'

const order: readonly UnitChange[] = ['none', 'start', 'reload', 'restart']

const RESTART_TRIGGERS = ['X-Restart-Triggers', 'X-RestartTriggers']
const RELOAD_TRIGGERS = ['X-Reload-Triggers', 'X-ReloadTriggers']
const PULLS = ['Wants', 'Requires', 'BindsTo', 'Upholds']

/** Keys that switching itself reads: what they say matters, that they changed does not. */
const ADVICE = new Set([
  'X-RestartIfChanged',
  'X-ReloadIfChanged',
  'X-StopIfChanged',
  'X-StopOnRemoval',
  'X-StopOnReconfiguration',
  'X-OnlyManualStart',
  'X-NotSocketActivated',
])

/**
 * Compares two definitions of a unit by meaning, as NixOS does. All of `[Unit]` and `[Install]` is
 * taken over by systemd when it reads its files again; only the triggers in there ask for more.
 */
export function compareUnits(old: UnitSections, next: UnitSections): UnitChange {
  let change: UnitChange = 'none'
  for (const section of new Set([...old.keys(), ...next.keys()])) {
    const keys = new Set([
      ...(old.get(section)?.keys() ?? []),
      ...(next.get(section)?.keys() ?? []),
    ])
    for (const key of keys) {
      const before = unitValues(old, section, key)
      const after = unitValues(next, section, key)
      if (same(before, after)) continue
      change = strongest(change, changeOf({ section, key, before, after }))
    }
  }
  return change
}

/** The change that asks for more. */
export function strongest(a: UnitChange, b: UnitChange): UnitChange {
  return order.indexOf(a) >= order.indexOf(b) ? a : b
}

type Difference = {
  section: string
  key: string
  before: readonly string[]
  after: readonly string[]
}

function changeOf({ section, key, before, after }: Difference): UnitChange {
  if (section === 'Install' || ADVICE.has(key)) return 'none'
  if (RESTART_TRIGGERS.includes(key)) return 'restart'
  // Without a trigger there is nothing new to read.
  if (RELOAD_TRIGGERS.includes(key)) return after.length === 0 ? 'none' : 'reload'
  if (section === 'Unit') {
    return PULLS.includes(key) && after.some(value => !before.includes(value)) ? 'start' : 'none'
  }
  // The process that runs does not notice; without the key it cannot be reloaded any more.
  if (section === 'Service' && key === 'ExecReload') return after.length === 0 ? 'none' : 'reload'
  if (section === 'Mount' && key === 'Options') return 'reload'
  return 'restart'
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}
