import { existsSync } from 'node:fs'
import type { StorePath } from '../codec/documents.ts'
import { readLayout } from './layout-file.ts'
import { resolveRooted } from './rooted-path.ts'
import type { ServiceManager } from './service-manager.ts'
import { readUnitTree, type UnitTree } from './unit-tree.ts'

export type UnitsOf = { prefix: string; kind: ServiceManager['kind'] }

/** The units of a system: its own first, then those of its root file system, which systemd runs. */
export function systemUnits(of: UnitsOf, system: StorePath): UnitTree {
  const { etc, rootfs } = readLayout(of.prefix, system)
  const own = [`${etc}/systemd/system`]
  const shipped = rootfs === undefined ? [] : [shippedUnits(of.prefix, rootfs)]
  return readUnitTree(of.prefix, of.kind === 'systemd' ? [...own, ...shipped] : own)
}

/** What lies in the root now, whoever put it there. */
export function liveUnits(of: UnitsOf): UnitTree {
  const own = ['/etc/systemd/system']
  return readUnitTree(of.prefix, of.kind === 'systemd' ? [...own, '/usr/lib/systemd/system'] : own)
}

/**
 * The definitions that units which run now may have been started with. In the place of a system
 * that has been collected, is of another layout or was never recorded comes what lies in the root.
 */
export function earlierUnits(
  of: UnitsOf,
  systems: readonly StorePath[],
): { from: UnitTree[]; live?: UnitTree } {
  const readable = systems.filter(system => isReadable(of.prefix, system))
  const from = readable.map(system => systemUnits(of, system))
  const whole = readable.length === systems.length && from.length > 0
  return whole ? { from } : { from, live: liveUnits(of) }
}

function isReadable(prefix: string, system: StorePath): boolean {
  return existsSync(resolveRooted(prefix, `${system}/layout.json`))
}

function shippedUnits(prefix: string, rootfs: StorePath): string {
  const merged = `${rootfs}/usr/lib/systemd/system`
  return existsSync(resolveRooted(prefix, merged)) ? merged : `${rootfs}/lib/systemd/system`
}
