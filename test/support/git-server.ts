import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { countBytes, type WireBytes } from './wire-bytes.ts'

export type GitServerOptions = {
  /** Holds the repositories, such as `fleet.git`. */
  directory: string
  listen?: { host?: string; port?: number }
  /** With it, every request must carry these as HTTP basic credentials. */
  credentials?: { user: string; password: string }
  /** Sees a request first; answers it itself and returns true, or leaves it to git. */
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Changes the body that git answers a POST with, as a bad network would. */
  mangle?: (body: Buffer, request: IncomingMessage) => Buffer
}

export type GitServer = {
  /** Without a trailing slash; a repository is `${url}/fleet.git`. */
  url: string
  bytes: () => WireBytes
  /** Requests so far, such as `POST /fleet.git/git-upload-pack`. */
  requests: string[]
  close: () => Promise<void>
}

/** The real `git http-backend` behind node:http as its CGI server; pushes are allowed. */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (options.intercept?.(request, response)) return
    if (!authorized(request, options.credentials)) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('no\n')
      return
    }
    serve(request, response, options)
  })
  const bytes = countBytes(server)
  const { host = '127.0.0.1', port = 0 } = options.listen ?? {}
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return {
    url: `http://${host}:${address.port}`,
    bytes,
    requests,
    close: () => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

function authorized(request: IncomingMessage, wanted: GitServerOptions['credentials']): boolean {
  if (wanted === undefined) return true
  const token = Buffer.from(`${wanted.user}:${wanted.password}`).toString('base64')
  return request.headers.authorization === `Basic ${token}`
}

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: GitServerOptions,
): void {
  const child = spawn('git', ['http-backend'], { env: cgiVariables(request, options) })
  request.pipe(child.stdin)
  child.stdin.on('error', () => request.unpipe()) // git may answer before it has read it all.
  response.once('close', () => child.kill())
  const complaint = text(child.stderr)
  child.once('error', () => response.destroy())
  const change = request.method === 'POST' ? options.mangle : undefined
  if (change === undefined) streamAnswer(child.stdout, response)
  else void gatherAnswer(child.stdout, response, body => change(body, request))
  child.once('close', async code => {
    if (code === 0 || response.headersSent) return
    response.writeHead(500).end(await complaint)
  })
}

function cgiVariables(request: IncomingMessage, options: GitServerOptions): NodeJS.ProcessEnv {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const header = (name: string) => String(request.headers[name] ?? '')
  return {
    PATH: process.env.PATH,
    HOME: '/nonexistent',
    GIT_PROJECT_ROOT: options.directory,
    GIT_HTTP_EXPORT_ALL: '1',
    GIT_CONFIG_COUNT: '2',
    GIT_CONFIG_KEY_0: 'http.receivepack',
    GIT_CONFIG_VALUE_0: 'true',
    GIT_CONFIG_KEY_1: 'safe.directory',
    GIT_CONFIG_VALUE_1: '*',
    GIT_PROTOCOL: header('git-protocol'),
    HTTP_CONTENT_ENCODING: header('content-encoding'),
    CONTENT_TYPE: header('content-type'),
    ...(request.headers['content-length'] && { CONTENT_LENGTH: header('content-length') }),
    PATH_INFO: decodeURIComponent(url.pathname),
    QUERY_STRING: url.search.slice(1),
    REQUEST_METHOD: request.method,
    REMOTE_ADDR: request.socket.remoteAddress,
  }
}

/** Passes the answer on as it comes, once the CGI header is whole. */
function streamAnswer(output: NodeJS.ReadableStream, response: ServerResponse): void {
  let head: Buffer | undefined = Buffer.alloc(0)
  output.on('data', (chunk: Buffer) => {
    if (head === undefined) {
      response.write(chunk)
      return
    }
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    writeHead(response, head.subarray(0, end))
    if (head.length > end + 4) response.write(head.subarray(end + 4))
    head = undefined
  })
  output.on('end', () => {
    if (head === undefined) response.end()
  })
}

async function gatherAnswer(
  output: NodeJS.ReadableStream,
  response: ServerResponse,
  change: (body: Buffer) => Buffer,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of output) chunks.push(chunk as Buffer)
  const all = Buffer.concat(chunks)
  const end = all.indexOf('\r\n\r\n')
  if (end < 0) return
  writeHead(response, all.subarray(0, end))
  response.end(change(all.subarray(end + 4)))
}

function writeHead(response: ServerResponse, head: Buffer): void {
  for (const line of head.toString('latin1').split('\r\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim()
    const value = line.slice(colon + 1).trim()
    if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10)
    else response.setHeader(name, value)
  }
}
