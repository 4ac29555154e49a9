/**
 * The demo's fleet as its operator has it: a project directory, servers, a controller, commands.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Status } from '../../agent/codec/report.ts'
import { startFileServer } from '../support/file-server.ts'
import { startGitServer } from '../support/git-server.ts'
import type { DemoHosts } from './hosts.ts'
import { type DemoMode, writeSystem } from './systems.ts'

const top = dirname(dirname(import.meta.dirname))
export const hostNames = ['web1', 'web2', 'web3']

/** What a command printed as JSON, and its exit code. */
export type Answer = { code: number; data: unknown }

export type Fleet = {
  mode: DemoMode
  directory: string
  rootfs: string | undefined
  hosts: DemoHosts
  /** The controller's address, for a browser. */
  page: string
  /** Runs `holdfast WORDS -o json` as a user would; fails when the exit code is not in `expect`. */
  holdfast: (words: string[], expect?: number[]) => Promise<Answer>
  controller: { start: () => Promise<void>; kill: () => Promise<void> }
  close: () => Promise<void>
}

/** Starts servers and controller, and writes keys, root of trust and the project file. */
export async function openFleet(options: {
  mode: DemoMode
  directory: string
  rootfs: string | undefined
  hosts: DemoHosts
  address: string
}): Promise<Fleet> {
  const { directory, address } = options
  makeRepository(join(directory, 'git/fleet.git'))
  const listen = { host: address }
  const git = await startGitServer({ directory: join(directory, 'git'), listen })
  mkdirSync(join(directory, 'cache'), { recursive: true })
  const cache = await startFileServer({ directory: join(directory, 'cache'), listen })
  const page = `http://${address}:${await freePort(address)}`
  const { holdfast, close: endCommands } = commandsIn(directory)
  await makeTrust(directory, holdfast)
  const gitUrl = `${git.url}/fleet.git`
  writeProject(directory, { git: gitUrl, cache: cache.url, controller: page })
  const controller = controllerOf(directory, page)
  await controller.start()
  const close = async () => {
    await endCommands()
    await Promise.all(
      hostNames.map(name => runHoldfast(directory, ['destroy', 'host', name], [0, 1, 2])),
    )
    await controller.kill()
    await git.close()
    await cache.close()
  }
  return { ...options, page, holdfast, controller, close }
}

/** Builds release `number` and returns its system path. */
export async function buildSystem(fleet: Fleet, number: number): Promise<string> {
  const { directory, mode, rootfs } = fleet
  const systems = join(directory, 'systems')
  const file = writeSystem({ directory: systems, number, mode, ...(rootfs ? { rootfs } : {}) })
  const { data } = await fleet.holdfast(['build', file])
  return (data as { system: string }).system
}

/** Waits until `holds` answers true for every host; fails with what each host last said. */
export async function waitForHosts(
  fleet: Fleet,
  options: { names?: string[]; secondsMax: number; what: string },
  holds: (status: Status, name: string) => boolean,
): Promise<void> {
  const names = options.names ?? hostNames
  const until = Date.now() + options.secondsMax * 1000
  for (;;) {
    const statuses = await Promise.all(names.map(name => fleet.hosts.status(name)))
    const open = names.filter((name, index) => {
      const status = statuses[index]
      return status === undefined || !holds(status, name)
    })
    if (open.length === 0) return
    if (Date.now() > until) {
      const said = JSON.stringify(statuses)
      throw new Error(
        `${options.what}: not so on ${open.join(', ')} after ${options.secondsMax} s: ${said}`,
      )
    }
    await setTimeout(250)
  }
}

function makeRepository(directory: string): void {
  mkdirSync(directory, { recursive: true })
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', directory])
  execFileSync('git', ['-C', directory, 'config', 'http.receivepack', 'true'])
}

async function makeTrust(directory: string, holdfast: Fleet['holdfast']): Promise<void> {
  const keys = join(directory, 'keys')
  await holdfast(['keys', 'new', 'root', 'root-key', '--directory', keys])
  await holdfast(['keys', 'new', 'release', 'release-key', '--directory', keys])
  await holdfast([
    ...['root', 'init', '--fleet', 'demo', '--directory', join(directory, 'root')],
    ...['--root-key', join(keys, 'root-key.pub'), '--release-key', join(keys, 'release-key.pub')],
    ...['--sign-with', join(keys, 'root-key')],
  ])
}

function writeProject(
  directory: string,
  urls: { git: string; cache: string; controller: string },
): void {
  const project = {
    fleet: 'demo',
    channel: 'prod',
    store: './store',
    root: './root',
    keys: { release: ['./keys/release-key'] },
    cache: { directory: './cache', urls: [urls.cache] },
    git: { url: urls.git, branch: 'main' },
    sources: [{ git: urls.git, branch: 'main' }],
    controller: { url: urls.controller, tokenFile: './controller/operator.token' },
  }
  writeFileSync(join(directory, 'holdfast.json'), `${JSON.stringify(project, null, 2)}\n`)
}

/** Commands that may be ended: those that run are waited for, and no new one starts. */
function commandsIn(directory: string): Pick<Fleet, 'holdfast' | 'close'> {
  const running = new Set<Promise<unknown>>()
  let ended = false
  return {
    async holdfast(words, expect = [0]) {
      if (ended) throw new Error('the demo has ended')
      const run = runHoldfast(directory, words, expect)
      running.add(run)
      return await run.finally(() => running.delete(run))
    },
    async close() {
      ended = true
      await Promise.allSettled(running)
    },
  }
}

function runHoldfast(directory: string, words: string[], expect: number[]): Promise<Answer> {
  const args = [join(top, 'dist/holdfast.js'), ...words, '-o', 'json']
  const options = { cwd: directory, maxBuffer: 64 << 20 }
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 128
      if (!expect.includes(code)) {
        reject(new Error(`holdfast ${words.join(' ')} ended with ${code}: ${stderr}${stdout}`))
      } else resolve({ code, data: stdout.trim() === '' ? undefined : JSON.parse(stdout) })
    })
  })
}

function controllerOf(directory: string, page: string): Fleet['controller'] {
  let child: ChildProcess | undefined
  const listen = page.slice('http://'.length)
  const words = [
    join(top, 'dist/holdfast.js'),
    'controller',
    '--state',
    join(directory, 'controller'),
  ]
  return {
    async start() {
      child = spawn(process.execPath, [...words, '--listen', listen, '--open-read'], {
        cwd: directory,
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let said = ''
      child.stderr?.on('data', chunk => {
        said = `${said}${chunk}`.slice(-2000)
      })
      for (let waited = 0; waited < 100; waited++) {
        if (await answers(`${page}/healthz`)) return
        if (child.exitCode !== null) break
        await setTimeout(100)
      }
      throw new Error(`the controller did not start: ${said}`)
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise(resolve => child?.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, address, () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0))
    })
  })
}
