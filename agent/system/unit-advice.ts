import type { LoadedUnit } from './service-manager.ts'
import { templateOf, type UnitSections, unitBool, unitType, unitValues } from './unit-files.ts'

/**
 * What a unit says about being switched. The keys are NixOS's; a unit that is silent gets these.
 */
export type Advice = {
  restartIfChanged: boolean
  reloadIfChanged: boolean
  /** Stop before, start after the switch, rather than restart after it. */
  stopIfChanged: boolean
  stopOnRemoval: boolean
  stopOnReconfiguration: boolean
  onlyManualStart: boolean
  notSocketActivated: boolean
  refuseManualStart: boolean
  refuseManualStop: boolean
}

/**
 * What NixOS's modules write into units that a distribution ships without such advice: restarting
 * these takes sessions, the bus or the network away from everything else.
 */
const shipped: Record<string, Partial<Advice>> = {
  'dbus.service': { reloadIfChanged: true },
  'dbus-broker.service': { reloadIfChanged: true },
  'systemd-logind.service': { restartIfChanged: false },
  'user@.service': { restartIfChanged: false },
  'user-runtime-dir@.service': { restartIfChanged: false },
  'getty@.service': { restartIfChanged: false },
  'serial-getty@.service': { restartIfChanged: false },
  'container-getty@.service': { restartIfChanged: false },
  'console-getty.service': { restartIfChanged: false },
  'autovt@.service': { restartIfChanged: false },
  'display-manager.service': { restartIfChanged: false },
  'systemd-journald.service': { stopIfChanged: false },
  'systemd-networkd.service': { stopIfChanged: false },
  'systemd-resolved.service': { stopIfChanged: false },
  'systemd-timesyncd.service': { stopIfChanged: false },
  'systemd-udevd.service': { stopIfChanged: false },
  'ssh.service': { stopIfChanged: false },
  'sshd.service': { stopIfChanged: false },
  // Taking the network down before bringing it up could cut off who waits for this switch.
  'networking.service': { stopIfChanged: false },
  'NetworkManager.service': { stopIfChanged: false },
  'systemd-user-sessions.service': { restartIfChanged: false },
}

/** Reads the advice of a definition, on top of what is known about its name. */
export function advice(name: string, unit: UnitSections): Advice {
  const known = shipped[name] ?? shipped[templateOf(name) ?? ''] ?? defaults(name, unit)
  const says = (key: string, fallback: boolean) =>
    unitBool(unit, ['Service', key], unitBool(unit, ['Unit', key], fallback))
  return {
    restartIfChanged: says('X-RestartIfChanged', known.restartIfChanged ?? true),
    reloadIfChanged: says('X-ReloadIfChanged', known.reloadIfChanged ?? false),
    stopIfChanged: says('X-StopIfChanged', known.stopIfChanged ?? true),
    stopOnRemoval: says('X-StopOnRemoval', true),
    stopOnReconfiguration: says('X-StopOnReconfiguration', false),
    onlyManualStart: says('X-OnlyManualStart', false),
    notSocketActivated: says('X-NotSocketActivated', false),
    refuseManualStart: says('RefuseManualStart', false) || says('X-OnlyManualStart', false),
    refuseManualStop: says('RefuseManualStop', false),
  }
}

/**
 * systemd's own steps of an early boot are not repeated in the middle of a life: one of them
 * empties `/tmp`, others count boots and seed randomness.
 */
function defaults(name: string, unit: UnitSections): Partial<Advice> {
  const once = unitValues(unit, 'Service', 'Type').at(-1) === 'oneshot'
  const early = !unitBool(unit, ['Unit', 'DefaultDependencies'], true)
  return name.startsWith('systemd-') && once && early ? { restartIfChanged: false } : {}
}

/**
 * Units that get their new definition when systemd reads its files again, or cannot be restarted
 * by themselves: slices and paths apply at once, a socket belongs to its service.
 */
export function isHandledByReload(name: string): boolean {
  return ['path', 'slice', 'socket', 'target', 'scope', 'device'].includes(unitType(name))
}

/**
 * Whether the unit came from a system's files, not from a generator, `/run` or an administrator.
 */
export function ownUnit(unit: LoadedUnit): boolean {
  return /^(\/usr)?(\/lib|\/etc)\/systemd\/system\//.test(unit.fragment)
}
