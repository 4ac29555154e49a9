/** What runs the services of a host: systemd, or processes of our own. */
export interface ServiceManager {
  readonly kind: 'systemd' | 'plain'
  /** Every unit that is loaded. */
  list(): Promise<LoadedUnit[]>
  /** Each of these waits until all jobs are done, and says which units did not do it. */
  stop(units: readonly string[]): Promise<UnitFailure[]>
  start(units: readonly string[]): Promise<UnitFailure[]>
  restart(units: readonly string[]): Promise<UnitFailure[]>
  reload(units: readonly string[]): Promise<UnitFailure[]>
  /** Reads the unit files again. */
  readUnitsAgain(): Promise<void>
  /** Forgets that these units failed. */
  resetFailed(units: readonly string[]): Promise<void>
  /** Asks for a job and does not wait: for the unit that is asking. */
  later(verb: 'restart' | 'stop', unit: string): Promise<void>
}

export type ActiveState =
  | 'active'
  | 'reloading'
  | 'inactive'
  | 'failed'
  | 'activating'
  | 'deactivating'
  | 'maintenance'

export type LoadedUnit = {
  name: string
  active: ActiveState
  /** Such as `running`, `exited`, `auto-restart`. */
  sub: string
  /** The file it was loaded from; empty for what systemd makes up itself. */
  fragment: string
  /** Exit code of the last main process, 0 when it has none. */
  exitCode: number
}

export type UnitFailure = { unit: string; message: string }

/** Whether a unit counts as failed: a service that systemd keeps trying again counts too. */
export function hasFailed(unit: LoadedUnit): boolean {
  return unit.active === 'failed' || (unit.sub === 'auto-restart' && unit.exitCode !== 0)
}

/** The agent's own unit: a switch that it performs itself touches it last, without waiting. */
export const AGENT_UNIT = 'holdfast-agent.service'
