import { Worker } from 'node:worker_threads'
import type { Metrics } from '../codec/report.ts'

/** Reading /proc takes milliseconds; what takes longer hangs on a sick disk and is given up. */
const MS_MAX = 15_000
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
const worker = new URL(`./metrics-worker${extension}`, import.meta.url)

/**
 * Reads the host's metrics in a worker that ends afterwards, because systeminformation keeps tens
 * of MB once it is loaded. Undefined when that fails: a report goes out all the same.
 */
export async function readMetrics(
  storePath: string,
  signal: AbortSignal,
): Promise<Metrics | undefined> {
  return await new Promise(resolve => {
    const thread = new Worker(worker, {
      workerData: { storePath },
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: 64 },
    })
    thread.unref()
    const end = (metrics?: Metrics) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      void thread.terminate()
      resolve(metrics)
    }
    const stop = () => end()
    const timer = setTimeout(stop, MS_MAX).unref()
    signal.addEventListener('abort', stop)
    thread.once('message', end).once('error', stop).once('exit', stop)
  })
}
