import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Status } from '../../agent/codec/report.ts'
import {
  encodeCredential,
  encodeEnrol,
  encodeReport,
  enrolMessage,
  type PhaseChange,
  reportMessage,
} from '../../agent/codec/report-envelope.ts'
import { type HostKey, openHostKey } from '../../agent/shell/host-key.ts'
import { ControllerClient, readTokenFile } from '../../controller/client.ts'
import { type ControllerOptions, startController } from '../../controller/server.ts'
import { someStatus } from '../agent/shell/some-status.ts'
import { temporaryDirectory } from '../support/temporary.ts'

export const quiet = { info() {}, warn() {} }

/** A real controller on a free port, with its operator's client. */
export async function testController(t: TestContext, options: Partial<ControllerOptions> = {}) {
  const directory = options.directory ?? join(temporaryDirectory(t), 'state')
  const listen = '127.0.0.1:0'
  const running = await startController({
    directory,
    listen,
    openRead: false,
    log: quiet,
    ...options,
  })
  let open = true
  const close = async () => {
    if (open) await running.close()
    open = false
  }
  t.after(close)
  const token = readTokenFile(join(directory, 'operator.token'))
  const client = new ControllerClient({ url: running.url, token })
  return { ...running, close, directory, token, client, root: temporaryDirectory(t) }
}

export type TestController = Awaited<ReturnType<typeof testController>>

/** A host of its own key that says what it is told to. */
export class TestHost {
  readonly name: string
  readonly key: HostKey
  readonly url: string
  counter = 0

  constructor({ url, root }: { url: string; root: string }, name: string) {
    this.name = name
    this.url = url
    this.key = openHostKey(mkdtempSync(join(root, 'host-')))
  }

  async enrol(token: string, changes: { host?: string; fleet?: string; proof?: string } = {}) {
    const { fleet = 'demo', host = this.name, ...rest } = changes
    const request = { fleet, host, publicKey: this.key.publicKey, token }
    const proof = this.key.sign(enrolMessage(request)).toString('base64')
    const body = encodeEnrol({ ...request, proof, ...rest })
    return await answerOf(fetch(`${this.url}/v1/enrol`, { method: 'POST', body }))
  }

  async report(
    status: Partial<Status>,
    options: { counter?: number; history?: PhaseChange[] } = {},
  ) {
    this.counter = options.counter ?? this.counter + 1
    const body = encodeReport({
      counter: this.counter,
      sentAt: new Date().toISOString(),
      intervalSeconds: 30,
      status: someStatus({ host: this.name, ...status }),
      history: options.history ?? [],
    })
    return await this.send(body, this.key)
  }

  async send(body: Buffer, signer: Pick<HostKey, 'sign'>) {
    const signature = signer.sign(reportMessage(body))
    const headers = { authorization: encodeCredential(this.key.publicKey, signature) }
    const request = fetch(`${this.url}/v1/reports`, { method: 'POST', body, headers })
    return await answerOf(request)
  }
}

/** A host that is enrolled by a token of its own. */
export async function enrolled(controller: TestController, name: string): Promise<TestHost> {
  const host = new TestHost(controller, name)
  const { token } = await controller.client.makeToken({ host: name })
  await host.enrol(token)
  return host
}

/** Status, error code and body of an answer. */
export async function answerOf(request: Promise<Response>) {
  const response = await request
  const body = (await response.json()) as { error?: { code: string; counter?: number } }
  return { status: response.status, code: body.error?.code, body }
}

/** The state of a host on its way with a release, and what it then runs. */
export const release = (version: number) => ({ epoch: 1, version })
export const system = (version: number) => `/nix/store/${String(version % 10).repeat(32)}-web`

export function going(version: number, phase: Status['phase']): Partial<Status> {
  const running = { running: system(version - 1), committed: system(version - 1) }
  const target = { release: release(version), target: system(version) }
  return { phase, ...target, ...running, synced: false, health: 'Progressing' }
}

export function committed(version: number): Partial<Status> {
  const at = system(version)
  const paths = { target: at, running: at, committed: at }
  return { phase: 'Committed', release: release(version), ...paths, synced: true }
}

export function wentBack(version: number): Partial<Status> {
  const rejected = {
    release: release(version),
    system: system(version),
    code: 'probe',
    message: 'the probe web did not pass',
    at: '2026-01-01T00:00:00Z',
  }
  const base = { ...going(version, 'Reverted'), health: 'Degraded' as const }
  return { ...base, rejected: [rejected], message: rejected.message }
}
