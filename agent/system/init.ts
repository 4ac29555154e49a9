import { accessSync, constants, existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { HostError, messageOf } from '../codec/errors.ts'
import { parseStorePath } from '../codec/store-path.ts'
import { readLayout } from './layout-file.ts'
import { preInit } from './pre-init.ts'
import { readProfile } from './profile.ts'
import { startBoot } from './running.ts'

export type BootOptions = {
  /** The path by which the kernel was asked to start us: `<system>/init`, or a link to it. */
  execfn: string
  /** The words for the real init. */
  args: string[]
  env: NodeJS.ProcessEnv
  /** Writes one line to the console. */
  say: (line: string) => void
}

/** What to become: the real init, or the `init` of another system. */
export type NextProgram = { program: string; argv: string[] }

/**
 * The first process of a host, up to the moment it becomes the real init. The committed system is
 * booted whichever one was asked for, so that a host whose start command names its first system, or
 * whose power went in the middle of a test, comes up on what it last proved to be healthy.
 */
export function prepareBoot(options: BootOptions): NextProgram {
  const { execfn, args, env, say } = options
  const own = systemOf(execfn)
  const committed = readProfile('/')?.system
  if (committed !== undefined && committed !== own) {
    const program = join(committed, 'init')
    if (isExecutable(program)) return { program, argv: [program, ...args] }
    say(`holdfast: the committed system ${committed} cannot be started: starting ${own}`)
  }
  for (const { step, error } of preInit({ prefix: '/', system: own, env })) {
    say(`holdfast: ${step}: ${messageOf(error)}`)
  }
  startBoot('/', own)
  const { init } = readLayout('/', own)
  if (init === undefined || !isExecutable(init)) {
    const is = init === undefined ? 'its layout names no init' : `"${init}" cannot be executed`
    throw new HostError('layout', `Cannot boot the system "${own}": ${is}`)
  }
  return { program: init, argv: [init, ...args] }
}

/** The system that a launcher in it belongs to: `<system>/init` or `<system>/bin/NAME`. */
export function systemOf(execfn: string): StorePath {
  const folder = dirname(realpathSync(execfn))
  return parseStorePath(existsSync(join(folder, 'layout.json')) ? folder : dirname(folder)).path
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
