import { readFileSync } from 'node:fs'
import { type AgentConfig, agentDefaults, decodeAgentConfig } from '../codec/agent-config.ts'
import type { Seed } from '../codec/documents.ts'
import { isErrno, messageOf, UsageError } from '../codec/errors.ts'
import { asConfig } from '../codec/json-fields.ts'
import { decodeSeed } from '../codec/seed.ts'
import { DEFAULT_LIMITS, type Limits } from '../core/state.ts'
import type { Places } from './places.ts'

/** A file that a person named must be there; the one at its own place may be absent. */
export function readConfig(places: Places, named?: string): AgentConfig {
  const path = named ?? places.config
  const bytes = read(path)
  if (bytes !== undefined) return decodeAgentConfig(bytes, path)
  if (named !== undefined)
    throw new UsageError('config', `Cannot open "${path}": it does not exist`)
  return agentDefaults
}

/** Errors: UsageError `config`. */
export function readSeed(places: Places, named?: string): Seed {
  const path = named ?? places.seed
  const bytes = read(path)
  if (bytes !== undefined) return asConfig(() => decodeSeed(bytes, path))
  throw new UsageError('config', `Cannot open "${path}": it does not exist`, {
    next: 'Put the seed that holdfast create host made there, or name one with --seed=FILE',
  })
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw new UsageError('config', `Cannot read "${path}": ${messageOf(error)}`, { cause: error })
  }
}

/** The configuration in the terms of the core. */
export function limitsOf(config: AgentConfig): Limits {
  const { deadlineSeconds, probe } = config.switch
  return {
    ...DEFAULT_LIMITS,
    attemptsMax: config.attemptsMax,
    passes: probe.passes,
    probeIntervalMs: probe.intervalSeconds * 1000,
    probeWindowMs: probe.windowSeconds * 1000,
    activationMs: deadlineSeconds * 1000,
    revertMs: config.rollback.deadlineSeconds * 1000,
  }
}
