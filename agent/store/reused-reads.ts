import { connect, type Socket, type TcpNetConnectOpts } from 'node:net'
import type { buildConnector } from 'undici'

/** As much as the kernel hands over at once on a fast network. */
const READ_BYTES = 128 * 1024

/**
 * A connector for undici whose sockets read into one buffer each, over and over. Undici takes a
 * piece and hands it on before it asks for the next, so nothing is lost; with a new buffer for each
 * read, as Node makes them by default, tens of MiB of garbage lie about at any time. Only for plain
 * connections, and only where whoever gets a piece uses it up, or copies it, at once.
 */
export function connectReusing(timeoutMs: number): buildConnector.connector {
  return ({ hostname, port }, callback) => {
    // Node's own reading of `[::1]` wants no brackets.
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    const socket = reusingSocket({ host, port: Number(port || 80), noDelay: true })
    socket.setTimeout(timeoutMs, () => {
      socket.destroy(new Error(`no connection within ${timeoutMs} ms`))
    })
    const fail = (error: Error) => callback(error, null)
    socket.once('error', fail)
    socket.once('connect', () => {
      socket.setTimeout(0)
      socket.off('error', fail)
      callback(null, socket)
    })
  }
}

function reusingSocket(options: TcpNetConnectOpts): Socket {
  let pending: Buffer | null = null
  const onread = {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback: (length: number, buffer: Uint8Array) => {
      pending = Buffer.from(buffer.buffer, buffer.byteOffset, length)
      socket.emit('readable')
      // Whoever is paused leaves it, and `read` below goes on when it is fetched.
      return pending === null
    },
  }
  const socket = connect({ ...options, onread })
  const [read, unshift] = [socket.read, socket.unshift]
  socket.read = (size?: number) => {
    // What was put back comes first.
    const earlier = read.call(socket, size)
    if (earlier !== null || pending === null || size === 0) return earlier
    const bytes = pending
    pending = null
    // Goes on when this was left over, and changes nothing when it was not; no byte arrives before
    // the caller is done with these.
    socket._read(0)
    return bytes
  }
  socket.unshift = (chunk: Buffer, ...rest) => unshift.call(socket, Buffer.from(chunk), ...rest)
  return socket
}
