import type { IncomingMessage, ServerResponse } from 'node:http'
import { RejectedError } from '../agent/codec/errors.ts'
import type { Fleet } from './fleet.ts'
import type { EventRecord } from './storage.ts'
import { viewEvent } from './views.ts'

/** Streams that are open at once. */
const STREAMS_MAX = 500
/** What a slow reader may have outstanding before it is let go. */
const OUTSTANDING_BYTES_MAX = 1024 * 1024
/** A reader that missed more gets `reset` and reads the state anew. */
const REPLAY_MAX = 1000
const HEARTBEAT_MS = 15_000

/** Server-sent events: what happened after `Last-Event-ID`, then what happens. */
export class EventStreams {
  readonly #fleet: Fleet
  readonly #open = new Map<ServerResponse, number>()
  readonly #unsubscribe: () => void
  readonly #heartbeat: NodeJS.Timeout

  constructor(fleet: Fleet) {
    this.#fleet = fleet
    this.#unsubscribe = fleet.subscribe(event => this.#tellAll(event))
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
  }

  async add(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#open.size >= STREAMS_MAX) {
      const is = `${STREAMS_MAX} are open already`
      throw new RejectedError('too-many-requests', `Cannot open "event stream": ${is}`)
    }
    const asked = request.headers['last-event-id']
    // What is committed while the past is read; told twice, the second time is left out by its id.
    const meanwhile: EventRecord[] = []
    const unsubscribe = this.#fleet.subscribe(event => meanwhile.push(event))
    try {
      await this.#replay(response, asked)
    } finally {
      unsubscribe()
    }
    for (const event of meanwhile) this.#tell(response, event)
  }

  async #replay(response: ServerResponse, asked: unknown): Promise<void> {
    const last = await this.#fleet.lastEventId()
    const after = typeof asked === 'string' && /^\d{1,15}$/.test(asked) ? Number(asked) : last
    const { events, gap } = await this.#fleet.eventsAfter(after, REPLAY_MAX)
    if (response.destroyed) return
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' })
    response.write('retry: 1000\n\n')
    if (gap) response.write(`id: ${last}\nevent: reset\ndata: {}\n\n`)
    this.#open.set(response, gap ? last : after)
    response.once('close', () => this.#open.delete(response))
    for (const event of events) this.#tell(response, event)
  }

  close(): void {
    clearInterval(this.#heartbeat)
    this.#unsubscribe()
    for (const response of this.#open.keys()) response.end()
    this.#open.clear()
  }

  #tellAll(event: EventRecord): void {
    for (const response of this.#open.keys()) this.#tell(response, event)
  }

  #tell(response: ServerResponse, event: EventRecord): void {
    if (event.id <= (this.#open.get(response) ?? Number.POSITIVE_INFINITY)) return
    this.#open.set(response, event.id)
    response.write(`id: ${event.id}\ndata: ${JSON.stringify(viewEvent(event))}\n\n`)
    if (response.writableLength > OUTSTANDING_BYTES_MAX) response.destroy()
  }

  #beat(): void {
    for (const response of this.#open.keys()) response.write(': alive\n\n')
  }
}
