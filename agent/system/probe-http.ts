import { connect, type Socket } from 'node:net'
import type { HttpProbe } from '../codec/health.ts'
import { ProbeError } from './probe-result.ts'

/** A server that sends more than this before its status is not answering our question. */
const HEAD_BYTES_MAX = 64 * 1024

/**
 * Passes when one GET is answered with the wanted status. Spoken directly over a socket: only the
 * status line matters, and an agent that idles afterwards has not loaded an HTTP client for it.
 */
export async function probeHttp(probe: HttpProbe, signal: AbortSignal): Promise<void> {
  const url = new URL(probe.url)
  const socket = await open(url, signal)
  try {
    const status = await ask(socket, url)
    if (status !== probe.status) {
      throw new ProbeError(`http ${probe.url} answered ${status}, wanted ${probe.status}`)
    }
  } catch (cause) {
    if (cause instanceof ProbeError) throw cause
    throw new ProbeError(`http ${probe.url} cannot be asked: ${(cause as Error).message}`)
  } finally {
    socket.destroy()
  }
}

async function open(url: URL, signal: AbortSignal): Promise<Socket> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (url.protocol === 'http:') return connect({ host, port: Number(url.port || 80), signal })
  const tls = await import('node:tls')
  const socket = tls.connect({ host, port: Number(url.port || 443), servername: serverName(host) })
  signal.addEventListener('abort', () => socket.destroy(new Error('aborted')), { once: true })
  return socket
}

/** TLS takes no addresses as server names (RFC 6066). */
function serverName(host: string): string {
  return /^[0-9.]+$/.test(host) || host.includes(':') ? '' : host
}

function ask(socket: Socket, url: URL): Promise<number> {
  const request = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    'User-Agent: holdfast-probe',
    'Accept: */*',
    'Connection: close',
    '\r\n',
  ]
  return new Promise((resolve, reject) => {
    let head = ''
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      head += text
      const status = statusOf(head)
      if (typeof status === 'number') resolve(status)
      else if (status === 'other' || head.length > HEAD_BYTES_MAX) {
        reject(new Error('its answer is not HTTP'))
      }
    })
    socket.on('error', reject)
    socket.once('close', () => reject(new Error('it closed the connection without an answer')))
    socket.write(request.join('\r\n'))
  })
}

/** The status of the first answer that is not interim (1xx, RFC 9110 section 15.2). */
function statusOf(head: string): number | 'other' | undefined {
  let rest = head
  for (;;) {
    const end = rest.indexOf('\n')
    if (end < 0) return undefined
    const digits = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?:[ \r]|$)/.exec(rest.slice(0, end))?.[1]
    if (digits === undefined) return 'other'
    if (!digits.startsWith('1')) return Number(digits)
    const next = rest.indexOf('\r\n\r\n')
    if (next < 0) return undefined
    rest = rest.slice(next + 4)
  }
}
