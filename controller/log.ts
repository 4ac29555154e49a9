import { pino } from 'pino'

export type Log = { info: (fields: object) => void; warn: (fields: object) => void }

/** JSON lines on stderr: stdout says where the controller listens, and nothing else. */
export function openLog(): Log {
  const options = {
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return pino(options, pino.destination({ fd: 2, sync: true }))
}
