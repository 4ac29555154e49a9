import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

export type Measured = { seconds: number; cpuSeconds: number; peakMiB: number }

const POLL_MS = 20

/**
 * Runs a program to its end: wall clock and CPU as bash's `time` sees them, children included, and
 * the highest VmHWM of any one process in it. Fails with what it wrote when it fails.
 */
export async function measure(command: string[], env = process.env): Promise<Measured> {
  const script = 'TIMEFORMAT="holdfast-time %R %U %S"; time "$@"'
  const child = spawn('bash', ['-c', script, 'bench', ...command], {
    env: { ...env, LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-20_000)
  })
  let peak = 0
  const poll = setInterval(() => {
    peak = Math.max(peak, peakKiB(child.pid!))
  }, POLL_MS)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  })
  clearInterval(poll)
  const times = /holdfast-time (\S+) (\S+) (\S+)/.exec(output)
  if (code !== 0 || times === null) throw new Error(`${command.join(' ')} failed:\n${output}`)
  const [seconds = 0, user = 0, system = 0] = times.slice(1).map(Number)
  return { seconds, cpuSeconds: user + system, peakMiB: peak / 1024 }
}

/** Of the descendants of `pid`; the shell itself is not what is measured. */
function peakKiB(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    const pids = children.split(' ').filter(Boolean).map(Number)
    return Math.max(0, ...pids.map(child => Math.max(ownPeakKiB(child), peakKiB(child))))
  } catch {
    return 0
  }
}

function ownPeakKiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0)
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
