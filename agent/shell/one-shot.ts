import { spawn } from 'node:child_process'
import { nodeCommand } from '../source/git-child.ts'

export type OneShot = {
  /** The file of the worker beside this one, without its ending, such as `accept-worker`. */
  worker: string
  request: unknown
  /** For a hung machine: what a worker does is bounded. */
  msMax: number
  signal: AbortSignal
  onProgress?: (progress: object) => void
}

type Message = { answer: unknown } | { progress: object }

/**
 * Has a short-lived process do what would leave memory behind in this one: it gets one message and
 * answers one. Fails with an Error when it ends without, and with the signal's reason.
 */
export async function askOnce(order: OneShot): Promise<unknown> {
  const { worker, request, msMax, signal } = order
  signal.throwIfAborted()
  const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
  const file = new URL(`./${worker}${ending}`, import.meta.url).pathname
  const [program = process.execPath, ...before] = nodeCommand()
  const child = spawn(program, [...before, '--disable-warning=ExperimentalWarning', file], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
    signal: AbortSignal.any([signal, AbortSignal.timeout(msMax)]),
    killSignal: 'SIGKILL',
  })
  return await new Promise((resolve, reject) => {
    child.on('message', (message: Message) => {
      if ('answer' in message) resolve(message.answer)
      else order.onProgress?.(message.progress)
    })
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`${worker} ended with ${code}`)))
    child.send(request as object, error => error && reject(error))
  })
}

type Answer<Q, A> = (request: Q, onProgress: (progress: object) => void) => A | Promise<A>

/** The other side: answers the one message that comes, and ends with the process that asked. */
export function answerOnce<Q, A>(answer: Answer<Q, A>): void {
  const tell = (message: Message, done = () => {}) => process.send?.(message, done)
  process.once('disconnect', () => process.exit())
  process.once('message', async request => {
    const result = await answer(request as Q, progress => tell({ progress }))
    tell({ answer: result }, () => process.disconnect())
  })
}
