import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { codeOf, HoldfastError, messageOf } from '../codec/errors.ts'
import {
  type ControlAnswer,
  type ControlRequest,
  decodeRequest,
  REQUEST_BYTES_MAX,
} from './control-protocol.ts'
import type { Log } from './log.ts'

/** People and scripts at once; more wait in the kernel's queue. */
const CONNECTIONS_MAX = 16
/** A request is one line that is there at once. */
const REQUEST_MS_MAX = 5_000

export type ControlOptions = {
  path: string
  answer: (request: ControlRequest) => Promise<ControlAnswer>
  log: Log
}

/**
 * Listens on the control socket, mode 0600. One that an agent left behind is replaced: the agent's
 * lock says that nobody listens there any more.
 */
export async function openControl(options: ControlOptions): Promise<Server> {
  const { path } = options
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  rmSync(path, { force: true })
  const server = createServer({ allowHalfOpen: true }, socket => serve(socket, options))
  server.maxConnections = CONNECTIONS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  chmodSync(path, 0o600)
  return server
}

function serve(socket: Socket, options: ControlOptions): void {
  const chunks: Buffer[] = []
  let length = 0
  socket.setTimeout(REQUEST_MS_MAX, () => socket.destroy())
  const leave = () => socket.destroy()
  socket.on('error', leave)
  // Who has gone before asking must not keep one of the few places.
  socket.once('end', leave)
  socket.on('data', chunk => {
    chunks.push(chunk)
    length += chunk.length
    const end = chunk.indexOf(0x0a)
    if (end < 0 && length <= REQUEST_BYTES_MAX) return
    socket.setTimeout(0)
    socket.off('end', leave)
    socket.pause()
    socket.removeAllListeners('data')
    void reply(socket, Buffer.concat(chunks), options)
  })
}

async function reply(socket: Socket, line: Buffer, { answer, log }: ControlOptions): Promise<void> {
  let result: ControlAnswer
  try {
    const request = decodeRequest(line)
    if (request.command !== 'status') log.info({ event: 'control.requested', ...request })
    result = await answer(request)
  } catch (error) {
    const [code, message] = [codeOf(error), messageOf(error)]
    const next = error instanceof HoldfastError ? error.next : 'Look at the log of the agent'
    log.warn({ event: 'control.failed', code, message })
    result = { error: { code, message, next } }
  }
  socket.end(`${JSON.stringify(result)}\n`)
}
