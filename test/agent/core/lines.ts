/** What stories are told with: events, and events that answer the attempt under way. */
import { limits, path, reality, release, type Said, type Teller } from './world.ts'

export type Line = Said | ((teller: Teller) => Said | undefined)

export const started: Said = { kind: 'started', reality: reality(), limits }
export const found = (version: number, name?: string): Said => ({
  kind: 'found',
  candidate: release(version, name),
})
export const staged = (version: number): Said => ({ kind: 'staged', key: `digest-${version}` })
export const locked = (version: number): Said => ({ kind: 'locked', key: `digest-${version}` })
export const measured: Line = ({ state: { step } }) => ({
  kind: 'measured',
  key: step.phase === 'Locked' ? step.goal.key : '',
  baseline: {},
})
export const activating: Line = ({ attempt }) => ({ kind: 'activating', attempt })
export const done =
  (exitCode: number): Line =>
  ({ attempt }) => ({
    kind: 'activationDone',
    attempt,
    exitCode,
    output: 'it broke\n',
  })
export const lost: Line = ({ attempt }) => ({
  kind: 'activationLost',
  attempt,
  message: 'it is gone',
})
export const probed =
  (healthy: boolean): Line =>
  ({ attempt, state: { rounds } }) => ({
    kind: 'probed',
    attempt,
    round: rounds,
    healthy,
    failures: healthy ? [] : [{ code: 'http', message: 'it answers 500' }],
  })
export const committed: Line = ({ attempt }) => ({ kind: 'committed', attempt, generation: 2 })
export const reverted =
  (ok: boolean): Line =>
  ({ attempt }) => ({
    kind: 'reverted',
    attempt,
    ok,
    message: 'it broke too',
  })
export const deadline =
  (of: 'activation' | 'probes' | 'revert' | 'fallback'): Line =>
  teller => ({
    kind: 'deadline',
    attempt: teller.attempt,
    of,
  })
export const failed = (cause: 'rejected' | 'transient' | 'host'): Said => ({
  kind: 'stageFailed',
  key: 'digest-1',
  cause,
  code: 'closure',
  message: 'it is wrong',
})
export const reboot =
  (name = 's0', running = name): Line =>
  teller => ({
    kind: 'started',
    reality: reality(name, `${teller.state.bootId}+`, running),
    limits,
  })
export const restart =
  (name = 's0', running = name): Line =>
  teller => ({
    kind: 'started',
    reality: reality(name, teller.state.bootId, running),
    limits,
  })
export const rollback: Said = {
  kind: 'commandRollback',
  reality: reality('s1'),
  to: { system: path('s0'), generation: 1 },
}
export const reconcile = (retry = false, running = 's0'): Said => ({
  kind: 'commandReconcile',
  reality: reality('s0', 'boot-1', running),
  retry,
})

export const toArmed: Line[] = [found(1), staged(1), locked(1), measured]
export const toTesting: Line[] = [...toArmed, activating]
export const toProbes: Line[] = [...toTesting, done(0)]
export const healthy: Line[] = [probed(true), probed(true)]
export const toCommitted: Line[] = [...toProbes, ...healthy, committed]
export const wentBack: Line[] = [reverted(true), ...healthy]

/** Tells the lines one after the other. */
export function tellAll(teller: Teller, lines: Line[]): void {
  for (const line of lines) {
    const said = typeof line === 'function' ? line(teller) : line
    if (said !== undefined) teller.tell(said)
  }
}
