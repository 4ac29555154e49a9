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

/** Writes synchronously, to stdout unless data goes there: what came before a crash is there. */
export function openLog(level: LogLevel, base: { host: string }, fd: 1 | 2 = 1): Log {
  const logger = pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    pino.destination({ fd, sync: true }),
  )
  return {
    debug: fields => logger.debug(fields),
    info: fields => logger.info(fields),
    warn: fields => logger.warn(fields),
    error: fields => logger.error(fields),
  }
}
