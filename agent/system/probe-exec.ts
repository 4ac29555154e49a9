import { spawn } from 'node:child_process'
import type { ExecProbe } from '../codec/health.ts'
import { ProbeError } from './probe-result.ts'
import { rootedText } from './rooted-text.ts'

/** What is kept of what the program says, for the message. */
const OUTPUT_CHARACTERS_MAX = 400
const OUTPUT_MS = 200

/**
 * Passes when the program ends with 0. At the end of the signal it is killed with all it started.
 */
export function probeExec(probe: ExecProbe, prefix: string, signal: AbortSignal): Promise<void> {
  const [program, ...words] = probe.command.map(word => rootedText(prefix, word))
  return new Promise((resolve, reject) => {
    const child = spawn(program!, words, {
      detached: true,
      cwd: prefix,
      env: { ...process.env, HOLDFAST_PREFIX: prefix },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-OUTPUT_CHARACTERS_MAX)
      })
    }
    const kill = () => killGroup(child.pid)
    signal.addEventListener('abort', kill, { once: true })
    const fail = (is: string) => reject(new ProbeError(`exec ${probe.command.join(' ')} ${is}`))
    child.once('error', error => fail(`cannot be started: ${error.message}`))
    child.once('exit', (code, by) => {
      signal.removeEventListener('abort', kill)
      kill() // What it left behind. What is out of its reach may hold the output open for ever.
      const close = setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, OUTPUT_MS)
      child.once('close', () => {
        clearTimeout(close)
        if (code === 0) resolve()
        else fail(`ended with ${by ?? code}${output.trim() && `: ${output.trim()}`}`)
      })
    })
  })
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}
