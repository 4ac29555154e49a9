import { RejectedError } from '../codec/errors.ts'
import type { Floor } from '../codec/floor.ts'

/** Somebody publishes at least once in this time; past it, a wrong clock is as likely. */
const CLOCK_DOUBT_MS = 30 * 24 * 3600 * 1000

/**
 * The time it certainly is by now, in milliseconds: the clock, or the newest time that a release
 * of the same epoch proved, if the clock is behind it. A proof made in an older epoch does not
 * count: a stolen release key may have issued something in a far future, and the root quorum that
 * opened the new epoch has overruled it.
 */
export function provedNow(clock: number, floor: Floor | undefined, epoch?: number): number {
  if (floor === undefined || (epoch ?? floor.epoch) !== floor.epoch) return clock
  return Math.max(clock, floor.time)
}

export type Expiry = { what: string; expires: string; now: number; clock: number }

/** The refusal to install on the word of an expired document; undefined while it is valid. */
export function expiredError({ what, expires, now, clock }: Expiry): RejectedError | undefined {
  const late = now - Date.parse(expires)
  if (late < 0) return undefined
  const time = new Date(now).toISOString()
  const says = now > clock ? `a signed release proves that it is ${time}` : `the clock says ${time}`
  const doubt = now === clock && late > CLOCK_DOUBT_MS ? ', and the clock may be wrong' : ''
  const is = `it expired at ${expires}; ${says}${doubt}`
  return new RejectedError('expired', `Cannot install from "${what}": ${is}`)
}
