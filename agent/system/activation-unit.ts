import { HostError } from '../codec/errors.ts'
import type { ActivationRun } from './activation-run.ts'
import { runProgram, systemctl } from './systemctl.ts'

/** The backstop behind the wrapper's own deadline, in seconds; it has no part in a normal end. */
const GRACE_SECONDS = 30

export function activationUnit(attempt: string): string {
  return `holdfast-switch-${attempt}.service`
}

/** Starts `command` in the attempt's own unit with `systemd-run`; returns once it executes. */
export async function startTransient(run: ActivationRun, command: readonly string[]) {
  const unit = activationUnit(run.attempt)
  if (await transientRuns(unit)) return
  const properties = [
    'Type=exec',
    'KillMode=control-group',
    'TimeoutStopSec=20',
    `RuntimeMaxSec=${run.deadlineSeconds + GRACE_SECONDS}`,
    // The activation must not be the first to go when memory is short.
    'OOMScoreAdjust=-500',
  ]
  const words = ['--quiet', '--collect', `--unit=${unit}`]
  const done = await runProgram('systemd-run', [
    ...words,
    `--description=Holdfast switches to ${run.system}`,
    ...properties.map(property => `--property=${property}`),
    '--',
    ...command,
  ])
  if (done.exitCode === 0) return
  if (await transientRuns(unit)) return // Started by somebody else at the same moment.
  const is = done.stderr.trim() || `systemd-run ended with ${done.exitCode}`
  throw new HostError('activation', `Cannot start "${unit}": ${is}`)
}

export async function transientRuns(unit: string): Promise<boolean> {
  const done = await systemctl(['show', '--property=ActiveState', '--value', unit])
  if (done.exitCode !== 0) {
    throw new HostError('services', `Cannot look at "${unit}": ${done.stderr.trim()}`)
  }
  return !['inactive', 'failed'].includes(done.stdout.trim())
}

/** Stops it and all in its control group; that it is not there any more is fine. */
export async function stopTransient(unit: string): Promise<void> {
  await systemctl(['stop', unit])
}
