import pino from 'pino'
import type { LogLevel } from '../codec/agent-config.ts'
import type { LogEvent } from './log-events.ts'

type Fields = { event: LogEvent } & Record<string, unknown>

/** One line of JSON per event: `time level event host`, then what belongs to the event. */
export type Log = {
  debug: (fields: Fields) => void
  info: (fields: Fields) => void
  warn: (fields: Fields) => void
  error: (fields: Fields) => void
}

/** Writes to stdout, synchronously: what was logged before a crash is there. */
export function openLog(level: LogLevel, base: { host: string }): Log {
  const logger = pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    pino.destination({ fd: 1, sync: true }),
  )
  return {
    debug: fields => logger.debug(fields),
    info: fields => logger.info(fields),
    warn: fields => logger.warn(fields),
    error: fields => logger.error(fields),
  }
}
