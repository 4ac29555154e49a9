import { HostError } from '../codec/errors.ts'
import { hasFailed, type ServiceManager, type UnitFailure } from './service-manager.ts'
import { type Outcome, showUnits, systemctl } from './systemctl.ts'

/**
 * systemd, through `systemctl`: it speaks every version's protocol, and is there where systemd is.
 */
export function systemdServices(): ServiceManager {
  return {
    kind: 'systemd',
    list: showUnits,
    stop: units => job('stop', units),
    start: units => job('start', units),
    restart: units => job('restart', units),
    reload: units => job('reload', units),
    readUnitsAgain: () => mustRun(['daemon-reload']),
    resetFailed,
    later: (verb, unit) => mustRun([verb, '--no-block', unit]),
  }
}

/** Has systemd execute itself anew, as when its program was replaced; returns when it answers. */
export async function reexecuteSystemd(): Promise<void> {
  await systemctl(['daemon-reexec'])
  for (let tries = 0; tries < REEXEC_TRIES_MAX; tries += 1) {
    if ((await systemctl(['show', '--property=Version'])).exitCode === 0) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new HostError('services', 'Cannot restart "systemd": it does not answer')
}

/** 60 seconds, after which NixOS gives up as well. */
const REEXEC_TRIES_MAX = 600

/**
 * One transaction per unit, all waited for. Which of them failed is read from what they are now.
 */
async function job(verb: string, units: readonly string[]): Promise<UnitFailure[]> {
  if (units.length === 0) return []
  const done = await systemctl([verb, '--', ...units])
  if (done.exitCode === 0) return []
  const named = units
    .map(unit => ({ unit, message: messageAbout(unit, done) }))
    .filter(failure => failure.message !== '')
  const failed = verb === 'stop' ? named : [...named, ...(await failedNow(units, named))]
  if (failed.length > 0 || verb === 'stop') return failed
  return [{ unit: units.join(' '), message: done.stderr.trim() }]
}

async function failedNow(units: readonly string[], named: UnitFailure[]): Promise<UnitFailure[]> {
  return (await showUnits())
    .filter(unit => units.includes(unit.name) && hasFailed(unit))
    .filter(unit => !named.some(failure => failure.unit === unit.name))
    .map(unit => ({ unit: unit.name, message: `is ${unit.active} (${unit.sub})` }))
}

/** systemctl names the unit in the line that tells of it. */
function messageAbout(unit: string, done: Outcome): string {
  return done.stderr
    .split('\n')
    .filter(line => line.includes(unit) && !line.startsWith('See "'))
    .join(' ')
    .trim()
}

async function resetFailed(units: readonly string[]): Promise<void> {
  // A unit that is not loaded has nothing to forget: systemctl says so with an error.
  if (units.length > 0) await systemctl(['reset-failed', '--', ...units])
}

async function mustRun(words: string[]): Promise<void> {
  const done = await systemctl(words)
  if (done.exitCode === 0) return
  throw new HostError('services', `Cannot ${words.join(' ')} "systemd": ${done.stderr.trim()}`)
}
