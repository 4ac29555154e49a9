import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseJsonObject } from '../codec/json.ts'
import type { Metrics } from '../codec/report.ts'
import { readMetrics as readFields } from '../codec/report-fields.ts'
import { nodeCommand } from '../source/git-child.ts'

/** Reading /proc takes milliseconds; what takes longer hangs on a sick disk and is given up. */
const MS_MAX = 15_000
const ANSWER_BYTES_MAX = 4096
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
const worker = fileURLToPath(new URL(`./metrics-worker${extension}`, import.meta.url))

/**
 * Reads the host's metrics in a process that ends afterwards: systeminformation keeps 30 MB once it
 * is loaded, in a thread too. Undefined when that fails: a report goes out all the same.
 */
export async function readMetrics(
  storePath: string,
  signal: AbortSignal,
): Promise<Metrics | undefined> {
  const [program = process.execPath, ...before] = nodeCommand()
  const words = [...before, worker, storePath]
  const limits = { timeout: MS_MAX, maxBuffer: ANSWER_BYTES_MAX, signal, cwd: '/' }
  return await new Promise(resolve => {
    execFile(program, words, { ...limits, killSignal: 'SIGKILL' }, (error, stdout) => {
      resolve(error ? undefined : parse(stdout))
    })
  })
}

function parse(text: string): Metrics | undefined {
  try {
    return readFields({ metrics: parseJsonObject(Buffer.from(text), { what: 'metrics' }) })
  } catch {
    return undefined
  }
}
