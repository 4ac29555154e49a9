import { connect } from 'node:net'
import type { TcpProbe } from '../codec/health.ts'
import { ProbeError } from './probe-result.ts'

/** Passes when somebody accepts the connection. */
export function probeTcp({ host, port }: TcpProbe, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', error => {
      reject(new ProbeError(`tcp ${host}:${port} cannot be connected to: ${error.message}`))
    })
  })
}
