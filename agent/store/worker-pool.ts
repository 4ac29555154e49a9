import { Worker } from 'node:worker_threads'
import {
  fromWire,
  type WorkerMessage,
  type WorkerRequest,
  type WorkerResults,
  type WorkerStart,
} from './worker-protocol.ts'

type Waiting = { resolve: (value: never) => void; reject: (error: unknown) => void; bytes: number }
type Member = { worker: Worker; pendingBytes: number; waiting: Map<number, Waiting> }

/**
 * Most of what a worker makes are buffers that live for one call, outside of its heap: a small
 * young generation frees them soon, where the default one would let hundreds of MiB gather.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 1 }

export type PoolOptions = WorkerStart & {
  workers: number
  signal: AbortSignal
  onWritten?: (bytes: number) => void
}

/** The workers of one fetch, started when they are needed; requests go to the least busy. */
export class WorkerPool {
  readonly #options: PoolOptions
  readonly #members: Member[] = []
  #nextId = 0
  #ended: unknown

  constructor(options: PoolOptions) {
    this.#options = options
    options.signal.addEventListener('abort', this.#abort, { once: true })
    if (options.signal.aborted) this.#abort()
  }

  /** `bytes` is the size of the task, by which the workers are kept equally busy. */
  async call<Request extends WorkerRequest>(
    request: Request,
    bytes = 0,
  ): Promise<WorkerResults[Request['kind']]> {
    if (this.#ended !== undefined) throw this.#ended
    const member = this.#choose()
    const id = this.#nextId++
    return await new Promise((resolve, reject) => {
      member.pendingBytes += bytes
      member.waiting.set(id, { resolve, reject, bytes })
      member.worker.postMessage({ id, request })
    })
  }

  /** Ends the workers, whatever they do. */
  async close(): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#abort)
    this.#end(new Error('the workers have been closed'))
    await Promise.all(this.#members.map(member => member.worker.terminate()))
  }

  readonly #abort = () => this.#end(this.#options.signal.reason)

  #end(reason: unknown): void {
    this.#ended ??= reason
    for (const member of this.#members) {
      for (const waiting of member.waiting.values()) waiting.reject(reason)
      member.waiting.clear()
    }
  }

  #choose(): Member {
    const idle = this.#members.find(member => member.waiting.size === 0)
    if (idle !== undefined) return idle
    if (this.#members.length < this.#options.workers) return this.#start()
    return this.#members.reduce((a, b) => (load(b) < load(a) ? b : a))
  }

  #start(): Member {
    const { staging, narrowUmask } = this.#options
    const file = `./realise-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`
    const workerData: WorkerStart = { staging, narrowUmask }
    const worker = new Worker(new URL(file, import.meta.url), { workerData, resourceLimits })
    const member: Member = { worker, pendingBytes: 0, waiting: new Map() }
    worker.on('message', (message: WorkerMessage) => this.#take(member, message))
    worker.once('error', error => this.#end(error))
    this.#members.push(member)
    return member
  }

  #take(member: Member, message: WorkerMessage): void {
    if (message.written > 0) this.#options.onWritten?.(message.written)
    if (!('id' in message)) return
    const waiting = member.waiting.get(message.id)
    if (waiting === undefined) return
    member.waiting.delete(message.id)
    member.pendingBytes -= waiting.bytes
    if ('error' in message) waiting.reject(fromWire(message.error))
    else waiting.resolve(message.result as never)
  }
}

/** A request without bytes still is some work. */
function load(member: Member): number {
  return member.pendingBytes + member.waiting.size * 4096
}
