/** Reads what a person typed after a command, with one sentence for each mistake. */
import type { Invocation } from '../agent/cli/command.ts'
import { UsageError } from '../agent/codec/errors.ts'

type Values = Invocation['values']

export function textOption(values: Values, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

export function requiredOption(values: Values, name: string): string {
  const value = textOption(values, name)
  if (value !== undefined && value !== '') return value
  throw new UsageError('usage', `Cannot go on without "--${name}": it is required`)
}

/** Every value of an option that may be repeated. */
export function listOption(values: Values, name: string): string[] {
  const value = values[name]
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

export function wholeOption(values: Values, name: string): number | undefined {
  const text = textOption(values, name)
  if (text === undefined) return undefined
  if (/^[0-9]{1,9}$/.test(text)) return Number(text)
  throw new UsageError('usage', `Cannot use "--${name}=${text}": it is not a whole number`)
}

/** Exactly as many words as `names`, which name them in the message. */
export function positionals<const N extends readonly string[]>(
  words: string[],
  names: N,
): { [K in keyof N]: string } {
  if (words.length === names.length) return words as { [K in keyof N]: string }
  const wanted = names.length === 0 ? 'no words' : names.join(' ')
  const is = `it takes ${wanted}; an option with several values is repeated`
  throw new UsageError('usage', `Cannot use "${words.join(' ')}": ${is}`)
}

const UNIT_MS: Record<string, number> = { d: 24 * 3600 * 1000, h: 3600 * 1000 }

/** An expiry as people say it, `365d`, `12h`, `2027-01-31` or a full RFC 3339 time, in UTC. */
export function parseExpiry(text: string, now: number): string {
  const [, count, unit] = /^([1-9][0-9]{0,4})([dh])$/.exec(text) ?? []
  const written = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?$/.test(text) ? Date.parse(text) : Number.NaN
  const time = count && unit ? now + Number(count) * (UNIT_MS[unit] ?? 0) : written
  if (Number.isNaN(time)) {
    const is = 'it is neither a time from now such as 365d nor a date such as 2027-01-31'
    throw new UsageError('usage', `Cannot use "--expires=${text}": ${is}`)
  }
  if (time <= now) {
    throw new UsageError('usage', `Cannot use "--expires=${text}": it is in the past`)
  }
  return `${new Date(time).toISOString().slice(0, 19)}Z`
}
