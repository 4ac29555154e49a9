import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A container of systemd-nspawn that runs. */
export type Container = {
  /** Runs a program inside; answers its stdout, trimmed, whatever its exit code. */
  run(...words: string[]): string
  /** Waits until systemd has started everything, and answers what it then says of itself. */
  started(): Promise<string>
  /** SIGKILL for everything in it, and waits for its end. */
  cutPower(): Promise<void>
  /** What it has written to its console. */
  console(): string
}

const START_MS_MAX = 60_000

/** Boots the directory with `init` as its first process, in a network of its own. */
export async function bootContainer(options: {
  root: string
  init: string
  words?: string[]
  name: string
  /** Credentials, by name. */
  credentials?: Record<string, string>
}): Promise<Container> {
  const { root, init, words = [], name, credentials = {} } = options
  const nspawn = spawn(
    'systemd-nspawn',
    [
      ...['--quiet', '--register=no', '--keep-unit', '--console=pipe', '--link-journal=no'],
      ...['--resolv-conf=off', '--timezone=off', '--private-network'],
      ...Object.entries(credentials).map(([key, value]) => `--set-credential=${key}:${value}`),
      ...[`--directory=${root}`, `--machine=${name}`, init, ...words],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const output: Buffer[] = []
  nspawn.stdout.on('data', chunk => output.push(chunk))
  nspawn.stderr.on('data', chunk => output.push(chunk))
  const text = () => Buffer.concat(output).toString()
  const first = await firstProcess(nspawn, text)
  const run = (...inside: string[]) => {
    const enter = ['--target', String(first), '--all', '--root', '--wd', '--', '/usr/bin/env', '-i']
    const path = 'PATH=/usr/sbin:/usr/bin'
    return spawnSync('nsenter', [...enter, path, ...inside], { encoding: 'utf8' }).stdout.trim()
  }
  return {
    run,
    started: () => untilStarted(run, text),
    cutPower: () => cutPower(nspawn, first),
    console: text,
  }
}

/** The host's number of the process that is 1 inside: a child or grandchild of nspawn. */
async function firstProcess(nspawn: ChildProcess, text: () => string): Promise<number> {
  const limit = Date.now() + START_MS_MAX
  while (Date.now() < limit && nspawn.exitCode === null) {
    const children = childrenOf(nspawn.pid!)
    const found = [...children, ...children.flatMap(childrenOf)].find(isFirstInside)
    if (found !== undefined) return found
    await sleep(20)
  }
  throw new Error(`Cannot boot the container: nspawn said:\n${text()}`)
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .flatMap(task => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' '))
      .filter(word => word !== '')
      .map(Number)
  } catch {
    return [] // It ended just now.
  }
}

function isFirstInside(pid: number): boolean {
  try {
    return /^NSpid:\s.*\s1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function untilStarted(run: Container['run'], text: () => string): Promise<string> {
  const limit = Date.now() + START_MS_MAX
  while (Date.now() < limit) {
    const state = run('systemctl', 'is-system-running')
    if (state === 'running' || state === 'degraded') return state
    await sleep(100)
  }
  throw new Error(`Cannot boot the container: systemd is not up in time; console:\n${text()}`)
}

async function cutPower(nspawn: ChildProcess, first: number): Promise<void> {
  if (nspawn.exitCode !== null || nspawn.signalCode !== null) return
  const ended = once(nspawn, 'exit')
  process.kill(first, 'SIGKILL') // The kernel takes the whole process namespace along.
  nspawn.kill('SIGKILL')
  await ended
}
