import { AGENT_UNIT, type LoadedUnit } from './service-manager.ts'
import { advice, isHandledByReload, ownUnit } from './unit-advice.ts'
import { compareUnits, strongest, type UnitChange } from './unit-diff.ts'
import { type UnitSections, unitType, unitWords } from './unit-files.ts'
import { findUnit, pulledIn, realName, type UnitTree } from './unit-tree.ts'

/** What a switch does to units, each list sorted. Stopping comes first, with the old files. */
export type SwitchPlan = {
  stop: string[]
  reload: string[]
  restart: string[]
  start: string[]
  /** Changed, but told to be left alone: they change at their next start. */
  leave: string[]
  /** Failed units to forget about, so that a start limit does not hold them back. */
  reset: string[]
  /** The agent's own unit, touched last and without waiting. */
  agent?: 'restart' | 'stop'
}

export type PlanInput = {
  /** Every system whose definitions a unit may have been started with; one, unless interrupted. */
  from: readonly UnitTree[]
  /**
   * What lies in the root, where it is not known which system that came from: units are compared
   * with it too, but nothing that only it has is stopped.
   */
  live?: UnitTree
  to: UnitTree
  loaded: readonly LoadedUnit[]
  /** Units that an interrupted switch may have taken down. */
  resume: readonly string[]
  /** Start all that is wanted and never ran: nobody has booted these services. */
  startWanted: boolean
}

type Draft = Record<'stop' | 'reload' | 'restart' | 'start' | 'leave' | 'reset', Set<string>>

/**
 * Compares what is loaded with what the new system has, by NixOS's rules. Only units whose files
 * belong to a system are touched: not those made by generators, by hand or for one run.
 */
export function planSwitch(input: PlanInput): SwitchPlan {
  const draft: Draft = {
    stop: new Set(),
    reload: new Set(),
    restart: new Set(),
    start: new Set(),
    leave: new Set(),
    reset: new Set(),
  }
  for (const unit of input.loaded) if (isRunning(unit)) planRunning(input, draft, unit)
  for (const unit of input.loaded) if (unit.active === 'failed') planFailed(input, draft, unit)
  planWanted(input, draft)
  planResumed(input, draft)
  return finish(draft)
}

function planRunning(input: PlanInput, draft: Draft, unit: LoadedUnit): void {
  if (!ownUnit(unit)) return
  const ours = definitions(input.from, unit.name)
  const before = [...ours, ...definitions(input.live ? [input.live] : [], unit.name)]
  if (before.length === 0) return
  const next = findUnit(input.to, unit.name)
  if (next === undefined) {
    if (ours.length > 0 && before.every(old => advice(unit.name, old).stopOnRemoval))
      draft.stop.add(unit.name)
    return
  }
  if (unitType(unit.name) === 'target') {
    if (advice(unit.name, next).stopOnReconfiguration) {
      draft.stop.add(unit.name)
      draft.start.add(unit.name)
    }
    return
  }
  const change = changeFrom(before, next)
  if (change === 'restart') planChanged(input, draft, { name: unit.name, next })
  else if (change !== 'none') draft[change].add(unit.name)
}

function definitions(trees: readonly UnitTree[], name: string): UnitSections[] {
  return trees.map(tree => findUnit(tree, name)).filter(known => known !== undefined)
}

/** How a changed unit that runs gets its new definition. */
function planChanged(
  input: PlanInput,
  draft: Draft,
  { name, next }: { name: string; next: UnitSections },
): void {
  const says = advice(name, next)
  if (isHandledByReload(name)) return
  if (name === '-.mount' || name === 'nix.mount') draft.reload.add(name)
  else if (says.reloadIfChanged) draft.reload.add(name)
  else if (!says.restartIfChanged || says.onlyManualStart || says.refuseManualStop)
    draft.leave.add(name)
  else if (!says.stopIfChanged || unitType(name) !== 'service') draft.restart.add(name)
  else planStopAndStart(input, draft, { name, next })
}

/** Stopped with its old definition, started with the new one, its sockets with it. */
function planStopAndStart(
  input: PlanInput,
  draft: Draft,
  { name, next }: { name: string; next: UnitSections },
): void {
  let bySocket = false
  for (const socket of socketsOf(name, next)) {
    const exists = findUnit(input.to, socket) !== undefined
    const runs = input.loaded.some(unit => unit.name === socket && isRunning(unit))
    if (runs) draft.stop.add(socket)
    if (runs && exists) draft.start.add(socket)
    // Newly socket-activated: the socket starts it.
    if (exists) bySocket = true
  }
  draft.stop.add(name)
  if (!bySocket || advice(name, next).notSocketActivated) draft.start.add(name)
}

/** What failed with another definition gets a chance with this one only where it is wanted. */
function planFailed(input: PlanInput, draft: Draft, unit: LoadedUnit): void {
  const known = input.from.some(tree => findUnit(tree, unit.name) !== undefined)
  if (known && findUnit(input.to, unit.name) === undefined) draft.reset.add(unit.name)
}

/** Units that an active target pulls in now: the new, the changed, and those that never ran. */
function planWanted(input: PlanInput, draft: Draft): void {
  for (const target of input.loaded) {
    if (!isRunning(target) || unitType(target.name) !== 'target') continue
    for (const name of wantedBy(input.to, target.name)) {
      const next = findUnit(input.to, name)
      if (next === undefined || isUp(input, name) || advice(name, next).refuseManualStart) continue
      const before = input.from.map(tree =>
        wantedBy(tree, target.name).has(name) ? findUnit(tree, name) : undefined,
      )
      const wasThere = before.length > 0 && before.every(old => old !== undefined)
      const again = advice(name, next).restartIfChanged || hasState(input, name, 'failed')
      const changed = !wasThere || (again && changeFrom(before, next) === 'restart')
      if (changed || (input.startWanted && !isLoaded(input, name))) draft.start.add(name)
    }
  }
}

function planResumed(input: PlanInput, draft: Draft): void {
  for (const name of input.resume) {
    if (findUnit(input.to, name) !== undefined && !isUp(input, name)) draft.start.add(name)
  }
}

function finish(draft: Draft): SwitchPlan {
  for (const name of draft.restart) draft.reload.delete(name)
  for (const name of draft.stop) {
    draft.reload.delete(name)
    draft.restart.delete(name)
  }
  const agent = takeAgent(draft)
  // What is stopped may end as failed, and would stay so for ever where it is gone.
  for (const name of [...draft.stop, ...draft.start, ...draft.restart]) draft.reset.add(name)
  return {
    stop: [...draft.stop].sort(),
    reload: [...draft.reload].sort(),
    restart: [...draft.restart].sort(),
    start: [...draft.start].sort(),
    leave: [...draft.leave].sort(),
    reset: [...draft.reset].sort(),
    ...(agent === undefined ? {} : { agent }),
  }
}

/**
 * The agent may be what runs this switch: it is taken out of the lists and done at the very end.
 */
function takeAgent(draft: Draft): 'restart' | 'stop' | undefined {
  const stop = draft.stop.delete(AGENT_UNIT)
  const start = draft.start.delete(AGENT_UNIT)
  const restart = draft.restart.delete(AGENT_UNIT)
  if (restart || start) return 'restart'
  return stop ? 'stop' : undefined
}

function changeFrom(before: readonly (UnitSections | undefined)[], next: UnitSections): UnitChange {
  return before.reduce<UnitChange>(
    (change, old) => (old === undefined ? change : strongest(change, compareUnits(old, next))),
    'none',
  )
}

/** By the names that systemd knows them by: aliases are followed. */
function wantedBy(tree: UnitTree, target: string): Set<string> {
  const unit = findUnit(tree, target)
  const named = unit === undefined ? [] : PULLS.flatMap(key => unitWords(unit, 'Unit', key))
  return new Set([...named, ...pulledIn(tree, target)].map(name => realName(tree, name)))
}

const PULLS = ['Wants', 'Requires', 'BindsTo', 'Upholds']

function socketsOf(name: string, unit: UnitSections): string[] {
  const named = unitWords(unit, 'Service', 'Sockets')
  return named.length > 0 ? named : [`${name.replace(/(@[^@]*)?\.service$/, '')}.socket`]
}

function isRunning(unit: LoadedUnit): boolean {
  return unit.active === 'active' || unit.active === 'activating' || unit.active === 'reloading'
}

function isUp(input: PlanInput, name: string): boolean {
  return input.loaded.some(unit => unit.name === name && isRunning(unit))
}

function hasState(input: PlanInput, name: string, state: LoadedUnit['active']): boolean {
  return input.loaded.some(unit => unit.name === name && unit.active === state)
}

function isLoaded(input: PlanInput, name: string): boolean {
  return input.loaded.some(unit => unit.name === name)
}
