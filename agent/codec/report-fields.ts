/** The parts of a report, read from what any host may have sent: bounded, typed, nothing more. */
import { isObject, type JsonObject, type JsonValue } from './json.ts'
import {
  type FieldReader,
  fieldError,
  optional,
  readArray,
  readBoolean,
  readInteger,
  readObject,
  readString,
} from './json-fields.ts'
import type { Metrics, Phase, Rejection, ReleaseId, SourceStatus, Status } from './report.ts'
import type { PhaseChange } from './report-envelope.ts'

/** Longer text is cut: a message is for a line on a screen. */
export const TEXT_LENGTH_MAX = 500
/** More are dropped, oldest first. */
export const HISTORY_MAX = 200
export const REJECTED_MAX = 32
export const SOURCES_MAX = 16

const phases: readonly Phase[] = [
  'Idle',
  'Verified',
  'Staged',
  'Locked',
  'Armed',
  'Testing',
  'Committed',
  'Reverting',
  'Reverted',
  'Held',
]
const healths = ['Healthy', 'Progressing', 'Degraded', 'Unknown'] as const

export function readStatus(report: JsonObject): Status {
  const context = 'the report, status'
  const object = readObject(report, 'status', 'the report')
  const text = (key: string) => readText(object, key, context)
  const maybe = (key: string) => optional(readText)(object, key, context)
  const release = optional(readRelease)(object, 'release', context)
  const generation = optional(readInteger)(object, 'generation', context)
  const status: Status = {
    fleet: text('fleet'),
    host: text('host'),
    channel: text('channel'),
    phase: readOneOf(phases)(object, 'phase', context),
    synced: readBoolean(object, 'synced', context),
    stale: readBoolean(object, 'stale', context),
    health: readOneOf(healths)(object, 'health', context),
    rejected: objectsOf(object, 'rejected', context).slice(-REJECTED_MAX).map(readRejection),
    sources: objectsOf(object, 'sources', context).slice(0, SOURCES_MAX).map(readSource),
    bootId: text('bootId'),
    agentVersion: text('agentVersion'),
  }
  if (release) status.release = release
  if (generation !== undefined) status.generation = generation
  for (const key of ['target', 'running', 'committed', 'message'] as const) {
    const value = maybe(key)
    if (value !== undefined) status[key] = value
  }
  return status
}

export function readMetrics(report: JsonObject): Metrics | undefined {
  const object = optional(readObject)(report, 'metrics', 'the report')
  if (!object) return undefined
  const number = (key: string) => readNumber(object, key)
  return {
    uptimeSeconds: number('uptimeSeconds'),
    loadPerCore: number('loadPerCore'),
    memoryTotal: number('memoryTotal'),
    memoryUsed: number('memoryUsed'),
    storeFree: number('storeFree'),
  }
}

export function readHistory(report: JsonObject): PhaseChange[] {
  return objectsOf(report, 'history', 'the report').slice(-HISTORY_MAX).map(readChange)
}

/** One change of the history; also used for the list that the reporter keeps in a file. */
export function readChange(object: JsonObject): PhaseChange {
  const context = 'the report, history'
  const release = optional(readRelease)(object, 'release', context)
  const message = optional(readText)(object, 'message', context)
  const code = optional(readText)(object, 'code', context)
  return {
    id: readInteger(object, 'id', context),
    at: readText(object, 'at', context).slice(0, 40),
    phase: readOneOf(phases)(object, 'phase', context),
    synced: readBoolean(object, 'synced', context),
    health: readOneOf(healths)(object, 'health', context),
    ...(release && { release }),
    ...(message !== undefined && { message }),
    ...(code !== undefined && { code }),
  }
}

/** What of a status is worth a line of history: all but its numbers and paths. */
export function changeOf(status: Status): Omit<PhaseChange, 'id' | 'at'> {
  const { phase, release, synced, health, message } = status
  const rejection = status.rejected.find(
    ({ release: given }) => given.epoch === release?.epoch && given.version === release.version,
  )
  return {
    phase,
    synced,
    health,
    ...(release && { release }),
    ...(message !== undefined && { message }),
    ...(rejection && { code: rejection.code }),
  }
}

function readRejection(object: JsonObject): Rejection {
  const context = 'the report, rejected'
  return {
    release: readRelease(object, 'release', context),
    system: readText(object, 'system', context),
    code: readText(object, 'code', context),
    message: readText(object, 'message', context),
    at: readText(object, 'at', context).slice(0, 40),
  }
}

function readSource(object: JsonObject): SourceStatus {
  const context = 'the report, sources'
  const code = optional(readText)(object, 'code', context)
  const message = optional(readText)(object, 'message', context)
  return {
    name: readText(object, 'name', context),
    ok: readBoolean(object, 'ok', context),
    checkedAt: readText(object, 'checkedAt', context).slice(0, 40),
    ...(code !== undefined && { code }),
    ...(message !== undefined && { message }),
  }
}

function readRelease(object: JsonObject, key: string, context: string): ReleaseId {
  const release = readObject(object, key, context)
  return {
    epoch: readInteger(release, 'epoch', context),
    version: readInteger(release, 'version', context),
  }
}

/** Text of one line for people: cut, and without control characters. */
function readText(object: JsonObject, key: string, context: string): string {
  return cutText(readString(object, key, context))
}

/** The reader's rule, for the writer too: a cut through a pair must not leave half a character. */
export function cutText(text: string): string {
  const cut = text.slice(0, TEXT_LENGTH_MAX).toWellFormed()
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
}

function readOneOf<T extends string>(allowed: readonly T[]): FieldReader<T> {
  return (object, key, context) => {
    const text = readString(object, key, context)
    const found = allowed.find(value => value === text)
    if (found === undefined) throw fieldError(context, key, `not one of ${allowed.join(', ')}`)
    return found
  }
}

function readNumber(object: JsonObject, key: string): number {
  const value = object[key]
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
  throw fieldError('the report, metrics', key, 'not a number from 0 up')
}

function objectsOf(object: JsonObject, key: string, context: string): JsonObject[] {
  return readArray(object, key, context).map((value: JsonValue) => {
    if (isObject(value)) return value
    throw fieldError(context, key, 'an array that holds something else than objects')
  })
}
