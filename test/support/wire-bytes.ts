import type { Server, Socket } from 'node:net'

/** What went over the connections of a server so far, TCP payload only. */
export type WireBytes = { received: number; sent: number; connections: number }

/** Counts the payload of every connection of `server`, closed ones included. */
export function countBytes(server: Server): () => WireBytes {
  const live = new Set<Socket>()
  const closed = { received: 0, sent: 0 }
  let connections = 0
  server.on('connection', socket => {
    connections += 1
    live.add(socket)
    socket.once('close', () => {
      live.delete(socket)
      closed.received += socket.bytesRead
      closed.sent += socket.bytesWritten
    })
  })
  return () => {
    const total = { ...closed, connections }
    for (const socket of live) {
      total.received += socket.bytesRead
      total.sent += socket.bytesWritten
    }
    return total
  }
}
