import { UsageError } from '../../agent/codec/errors.ts'

const units: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds from `90`, `90s`, `10m`, `2h` or `7d`; undefined when the option is not given. */
export function readSeconds(value: unknown, option: string): number | undefined {
  if (value === undefined) return undefined
  const [, digits, unit = ''] = /^(\d{1,9})([smhd]?)$/.exec(String(value)) ?? []
  const seconds = Number(digits) * units[unit]!
  if (digits !== undefined && seconds > 0) return seconds
  throw new UsageError('usage', `Cannot read "--${option}=${value}": it is no time`, {
    next: 'Write it as 90s, 10m, 2h or 7d',
  })
}
