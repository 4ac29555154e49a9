import type { ExitCode } from '../cli/command.ts'
import type { Status } from '../codec/report.ts'

/** 0 synced and healthy · 1 rolled back or degraded · 2 not known yet · 3 held. */
export function exitCodeOf({ phase, health, synced }: Status): ExitCode {
  if (phase === 'Held') return 3
  if (health === 'Healthy' && synced) return 0
  return health === 'Degraded' ? 1 : 2
}
