import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { RejectedError, TransientError } from '../codec/errors.ts'
import type { FetchOrder, FetchOutcome } from './git-order.ts'

const WATCH_MS = 50

/** Runs one fetch in a process of its own and ends that process whatever happens. */
export async function runGitWorker(
  order: FetchOrder,
  signal: AbortSignal,
): Promise<Extract<FetchOutcome, { kind: 'fetched' }>> {
  signal.throwIfAborted()
  const child = startWorker(order.scratch)
  const stop = watch(child, order, signal)
  try {
    const outcome = await outcomeOf(child, order, stop)
    if (outcome.kind === 'fetched') return outcome
    const { code, message } = outcome
    throw outcome.rejected ? new RejectedError(code, message) : new TransientError(code, message)
  } finally {
    stop.now()
    child.kill('SIGKILL')
  }
}

function startWorker(scratch: string): ChildProcess {
  const name = `./git-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`
  const permissions = ['--permission', '--allow-fs-read=*', `--allow-fs-write=${scratch}`]
  const quiet = '--disable-warning=SecurityWarning'
  const worker = new URL(name, import.meta.url).pathname
  const [program = process.execPath, ...before] = nodeCommand()
  const child = spawn(program, [...before, ...permissions, quiet, worker], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
  })
  preferAsVictim(child)
  return child
}

/**
 * How this Node was started. On a host it runs under its own dynamic loader, so that the executable
 * of this process is the loader, with the real program among its arguments.
 */
export function nodeCommand(): string[] {
  if (!/^ld[-.]|^ld\d/.test(basename(process.execPath))) return [process.execPath]
  const words = readFileSync('/proc/self/cmdline', 'utf8').split('\0')
  const node = words.findIndex((word, index) => index > 0 && basename(word) === 'node')
  return node < 0 ? [process.execPath] : [process.execPath, ...words.slice(1, node + 1)]
}

/** When memory runs out, the kernel shall take the worker and not the agent. */
function preferAsVictim(child: ChildProcess): void {
  try {
    writeFileSync(`/proc/${child.pid}/oom_score_adj`, '1000')
  } catch {
    // Not Linux, or already gone: the watch below still holds.
  }
}

type Stop = { now: () => void; reason: Promise<never> }

function watch(child: ChildProcess, order: FetchOrder, signal: AbortSignal): Stop {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {}) // Nobody waits for it once the worker has answered.
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  const late = setTimeout(() => {
    const text = `Cannot fetch "${order.url}": it took longer than ${order.deadlineMs / 1000} s`
    reject(new TransientError('unreachable', text))
  }, order.deadlineMs)
  const memory = setInterval(() => {
    if (residentBytes(child) <= order.memoryBytesMax) return
    const text = `Cannot fetch "${order.url}": unpacking it takes too much memory`
    reject(new RejectedError('oversized', text))
  }, WATCH_MS)
  return {
    now: () => {
      signal.removeEventListener('abort', abort)
      clearTimeout(late)
      clearInterval(memory)
    },
    reason: promise,
  }
}

function residentBytes(child: ChildProcess): number {
  try {
    return Number(readFileSync(`/proc/${child.pid}/statm`, 'utf8').split(' ')[1]) * 4096
  } catch {
    return 0
  }
}

async function outcomeOf(
  child: ChildProcess,
  order: FetchOrder,
  stop: Stop,
): Promise<FetchOutcome> {
  const answered = new Promise<FetchOutcome>((resolve, reject) => {
    const text = `Cannot fetch "${order.url}"`
    child.once('message', message => resolve(message as FetchOutcome))
    child.once('error', cause => {
      reject(new TransientError('program', `${text}: the worker did not start`, { cause }))
    })
    child.once('close', (code, name) => {
      const end = name ?? `exit code ${code}`
      reject(new TransientError('git', `${text}: the worker ended with ${end}`))
    })
  })
  child.send(order, () => {}) // A worker that is gone says so by `close`.
  return await Promise.race([answered, stop.reason])
}
