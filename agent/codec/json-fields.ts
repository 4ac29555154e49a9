/** Reads single fields of parsed JSON, with messages that name the field and what it must be. */
import type { ErrorCode } from './error-codes.ts'
import { RejectedError, UsageError } from './errors.ts'
import { isObject, type JsonObject, type JsonValue } from './json.ts'

/** Reads `object[key]`; `context` names the object in messages, such as `seed.json, root`. */
export type FieldReader<T> = (object: JsonObject, key: string, context: string) => T

export type IntegerLimits = {
  /** Default 0. */
  min?: number
  /** Default 2^53 − 1, the last integer that a double holds exactly with its neighbours. */
  max?: number
  /** The code of the error, where the field has one of its own. Default `schema`. */
  code?: ErrorCode
}

/** The same reader for a field that may be absent; `null` is not absent. */
export function optional<T>(read: FieldReader<T>): FieldReader<T | undefined> {
  return (object, key, context) =>
    object[key] === undefined ? undefined : read(object, key, context)
}

export function readString(object: JsonObject, key: string, context: string): string {
  const value = object[key]
  if (typeof value !== 'string') throw fieldError(context, key, `${is(value)}, not a string`)
  return value
}

export function readBoolean(object: JsonObject, key: string, context: string): boolean {
  const value = object[key]
  if (typeof value !== 'boolean') throw fieldError(context, key, `${is(value)}, not true or false`)
  return value
}

/** A whole number inside the limits; anything that a double would round is refused. */
export function readInteger(
  object: JsonObject,
  key: string,
  context: string,
  limits: IntegerLimits = {},
): number {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, code = 'schema' } = limits
  const value = object[key]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    const wanted = `a whole number from ${min} to ${max}`
    throw fieldError(context, key, `${is(value)}, not ${wanted}`, code)
  }
  return value
}

export function readArray(object: JsonObject, key: string, context: string): JsonValue[] {
  const value = object[key]
  if (!Array.isArray(value)) throw fieldError(context, key, `${is(value)}, not an array`)
  return value
}

export function readStrings(object: JsonObject, key: string, context: string): string[] {
  return readArray(object, key, context).map(value => {
    if (typeof value === 'string') return value
    throw fieldError(context, key, `an array with ${is(value)}, not of strings`)
  })
}

export function readObject(object: JsonObject, key: string, context: string): JsonObject {
  const value = object[key]
  if (!isObject(value)) throw fieldError(context, key, `${is(value)}, not an object`)
  return value
}

const RFC3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/

/** An RFC 3339 time in UTC that exists in the calendar: `2027-01-31T00:00:00Z`. */
export function readTime(object: JsonObject, key: string, context: string): string {
  const text = readString(object, key, context)
  if (!isTime(text)) {
    throw fieldError(context, key, 'not a UTC time such as 2027-01-31T00:00:00Z')
  }
  return text
}

export function isTime(text: string): boolean {
  if (!RFC3339_UTC.test(text)) return false
  const ms = Date.parse(text)
  // Date.parse carries 30 February over into March: the round trip shows it.
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === text.slice(0, 19)
}

/** Refuses a `type` that is not exactly `type`: another document, or a later format. */
export function readType(object: JsonObject, type: string, context: string): void {
  const found = readString(object, 'type', context)
  if (found !== type) throw fieldError(context, 'type', `${is(found)}, not "${type}"`)
}

/** Refuses keys outside `allowed`: in what a person writes, an unknown key is a typing error. */
export function refuseUnknown(object: JsonObject, allowed: readonly string[], context: string) {
  for (const key of Object.keys(object)) {
    if (allowed.includes(key)) continue
    throw fieldError(context, key, `not a known key; known are ${allowed.join(', ')}`)
  }
}

export function fieldError(
  context: string,
  key: string,
  text: string,
  code: ErrorCode = 'schema',
): RejectedError {
  const name = key.length > 60 ? `${key.slice(0, 60)}…` : key
  return new RejectedError(code, `Cannot read "${name}" in ${context}: it is ${text}`)
}

/** For files that a person on this machine writes: what is wrong in them is a `config` error. */
export function asConfig<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof RejectedError)) throw cause
    throw new UsageError('config', cause.message, { cause })
  }
}

/** A value for a message: short, on one line, and no more of a string than is needed to find it. */
function is(value: JsonValue | undefined): string {
  if (value === undefined) return 'missing'
  if (Array.isArray(value)) return 'an array'
  if (isObject(value)) return 'an object'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
