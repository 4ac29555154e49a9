import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { messageOf } from '../codec/errors.ts'
import { expand, type PlainUnit } from './plain-unit.ts'

/** Runs the `ExecReload=` lines one after another; what went wrong, or undefined. */
export async function runReload(unit: PlainUnit, mainPid: number): Promise<string | undefined> {
  const env = { ...process.env, ...unit.environment, MAINPID: String(mainPid) }
  for (const line of unit.reload) {
    const [program, ...words] = expand(line.words, env as Record<string, string>)
    const child = spawn(program!, words, { env, stdio: 'ignore', timeout: RELOAD_MS_MAX })
    try {
      const [code] = (await once(child, 'exit')) as [number | null]
      if (code !== 0 && !line.mayFail) return `ExecReload= ended with ${code ?? 'a signal'}`
    } catch (error) {
      return `ExecReload= cannot be started: ${messageOf(error)}`
    }
  }
  return undefined
}

/** As systemd's DefaultTimeoutStartSec=, which it uses for reloading too. */
const RELOAD_MS_MAX = 90_000
