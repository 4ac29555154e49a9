/**
 * `/etc/holdfast/agent.json`: how an agent goes about its work. Every field is optional, and so is
 * the file; `agentDefaults` is what it does without. Unknown keys are refused.
 */
import type { SourceConfig } from './documents.ts'
import { type JsonObject, parseJsonObject } from './json.ts'
import {
  asConfig,
  fieldError,
  optional,
  readInteger,
  readObject,
  readString,
  readType,
  refuseUnknown,
} from './json-fields.ts'
import { readSources } from './seed.ts'

const CONFIG_TYPE = 'holdfast-agent-1'
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LEVELS)[number]

const DAY_SECONDS = 24 * 3600

export type AgentConfig = {
  /** When to look at the sources: five or six cron fields, and what is added at random. */
  poll: { cron: string; jitterSeconds: number }
  switch: {
    /** How long an activation may take. */
    deadlineSeconds: number
    /** This many rounds of probes in a row must pass, one every interval, inside the window. */
    probe: { passes: number; intervalSeconds: number; windowSeconds: number }
  }
  /** How long going back may take. */
  rollback: { deadlineSeconds: number }
  /** How often one release is tried again after a failure that was not its own. */
  attemptsMax: number
  /** Downloads at once, and the bytes that stay free on the disk of the store. */
  fetch: { workers: number; reserveBytes: number }
  /** How often a report is sent when nothing changes. */
  report: { intervalSeconds: number }
  log: { level: LogLevel }
  /** Instead of the seed's. */
  sources?: SourceConfig[]
}

export const agentDefaults: AgentConfig = {
  poll: { cron: '*/30 * * * * *', jitterSeconds: 5 },
  switch: {
    deadlineSeconds: 300,
    probe: { passes: 3, intervalSeconds: 2, windowSeconds: 60 },
  },
  rollback: { deadlineSeconds: 300 },
  attemptsMax: 3,
  fetch: { workers: 2, reserveBytes: 256 * 1024 * 1024 },
  report: { intervalSeconds: 60 },
  log: { level: 'info' },
}

/** Errors: UsageError `config` that names the field. `what` is the file's path. */
export function decodeAgentConfig(bytes: Uint8Array, what = 'agent.json'): AgentConfig {
  return asConfig(() => readConfig(parseJsonObject(bytes, { what }), what))
}

function readConfig(object: JsonObject, what: string): AgentConfig {
  refuseUnknown(object, ['type', ...Object.keys(agentDefaults), 'sources'], what)
  if (object.type !== undefined) readType(object, CONFIG_TYPE, what)
  const part = partReader(object, what)
  const sources = optional(readSources)(object, 'sources', what)
  return {
    poll: readPoll(part('poll')),
    switch: readSwitch(part('switch')),
    rollback: readNumbers(part('rollback'), agentDefaults.rollback, {
      deadlineSeconds: [1, DAY_SECONDS],
    }),
    attemptsMax:
      object.attemptsMax === undefined
        ? agentDefaults.attemptsMax
        : readInteger(object, 'attemptsMax', what, { min: 1, max: 100 }),
    fetch: readNumbers(part('fetch'), agentDefaults.fetch, {
      workers: [1, 64],
      reserveBytes: [0, Number.MAX_SAFE_INTEGER],
    }),
    report: readNumbers(part('report'), agentDefaults.report, {
      intervalSeconds: [1, DAY_SECONDS],
    }),
    log: readLog(part('log')),
    ...(sources === undefined ? {} : { sources }),
  }
}

type Part = { object: JsonObject; context: string }

/** An absent part is an empty one. */
function partReader(parent: JsonObject, what: string): (key: string) => Part {
  return key => ({
    object: optional(readObject)(parent, key, what) ?? {},
    context: `${what}, ${key}`,
  })
}

/** The whole numbers of a part, each with its limits; what is absent is as in `defaults`. */
function readNumbers<K extends string>(
  { object, context }: Part,
  defaults: Record<K, number>,
  limits: Record<K, readonly [min: number, max: number]>,
): Record<K, number> {
  const keys = Object.keys(limits) as K[]
  refuseUnknown(object, keys, context)
  const numbers = { ...defaults }
  for (const key of keys) {
    const [min, max] = limits[key]
    if (object[key] !== undefined) numbers[key] = readInteger(object, key, context, { min, max })
  }
  return numbers
}

function readPoll({ object, context }: Part): AgentConfig['poll'] {
  const { cron: cronDefault, jitterSeconds: jitter } = agentDefaults.poll
  const { cron: _, ...numbers } = object
  const limits = { jitterSeconds: [0, DAY_SECONDS] } as const
  refuseUnknown(object, ['cron', 'jitterSeconds'], context)
  const cron = optional(readString)(object, 'cron', context) ?? cronDefault
  if (!/^\S+( +\S+){4,5}$/.test(cron) || cron.length > 200) {
    throw fieldError(context, 'cron', 'not a cron expression of five or six fields')
  }
  return { cron, ...readNumbers({ object: numbers, context }, { jitterSeconds: jitter }, limits) }
}

function readSwitch({ object, context }: Part): AgentConfig['switch'] {
  refuseUnknown(object, ['deadlineSeconds', 'probe'], context)
  const { deadlineSeconds, probe } = agentDefaults.switch
  const { probe: _, ...numbers } = object
  const rounds = readNumbers(partReader(object, context)('probe'), probe, {
    passes: [1, 100],
    intervalSeconds: [1, 3600],
    windowSeconds: [1, DAY_SECONDS],
  })
  if ((rounds.passes - 1) * rounds.intervalSeconds >= rounds.windowSeconds) {
    throw fieldError(
      `${context}.probe`,
      'windowSeconds',
      'too short for so many passes at that interval',
    )
  }
  return {
    ...readNumbers(
      { object: numbers, context },
      { deadlineSeconds },
      {
        deadlineSeconds: [1, DAY_SECONDS],
      },
    ),
    probe: rounds,
  }
}

function readLog({ object, context }: Part): AgentConfig['log'] {
  refuseUnknown(object, ['level'], context)
  const text = optional(readString)(object, 'level', context) ?? agentDefaults.log.level
  const level = LEVELS.find(known => known === text)
  if (level === undefined) throw fieldError(context, 'level', `not one of ${LEVELS.join(', ')}`)
  return { level }
}
