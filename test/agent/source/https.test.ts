import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openSource } from '../../../agent/source/open-source.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { countBytes } from '../../support/wire-bytes.ts'
import { poll } from './contract.ts'

/** An HTTPS server whose certificate is for 127.0.0.1 and signed by itself. */
async function serve(t: TestContext) {
  needs('openssl')
  const directory = temporaryDirectory(t)
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
  const words = ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject]
  execFileSync('openssl', words, { stdio: 'pipe' })
  const options = { key: readFileSync(key), cert: readFileSync(cert) }
  const server = createServer(options, (request, response) => {
    if (request.url?.startsWith('/root')) response.writeHead(404).end()
    else if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end()
    else response.writeHead(200, { etag: '"1"' }).end('x')
  })
  const bytes = countBytes(server)
  const resumed: boolean[] = []
  server.on('secureConnection', socket => resumed.push(socket.isSessionReused()))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { server, url, cert, bytes, resumed }
}

test('F08: refuses a certificate that nobody vouches for', async t => {
  const { url } = await serve(t)
  const source = openSource({ http: url }, { scratch: '/nonexistent' })
  const error = { code: 'unreachable', kind: 'transient', message: /self-signed certificate/ }
  await assert.rejects(poll(source), error)
})

test('polls over TLS on a kept connection, and resumes the session on a new one', async t => {
  const { url, cert, bytes, server, resumed } = await serve(t)
  const program = fileURLToPath(new URL('../../support/https-poller.ts', import.meta.url))
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: cert }
  const { spawn } = await import('node:child_process')
  const child = spawn(process.execPath, [program, url], {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.after(() => child.kill())
  const costs: number[] = []
  let before = 0
  child.on('message', message => {
    const { sent, received } = bytes()
    costs.push(sent + received - before)
    before = sent + received
    if (message === 'resume') server.closeAllConnections()
    child.send('next')
  })
  const code = await new Promise(resolve => child.once('close', resolve))
  assert.equal(code, 0)
  const [first = 0, kept = 0, fresh = 0] = costs
  t.diagnostic(`bytes: first ${first}, on a kept connection ${kept}, resumed ${fresh}`)
  assert.ok(kept < 1024)
  assert.deepEqual(resumed, [false, true])
})
