import { resolve } from 'node:path'
import type { Command } from '../../cli/command.ts'
import { HostError, messageOf, UsageError } from '../../codec/errors.ts'
import { parseStorePath } from '../../codec/store-path.ts'
import { systemOf } from '../init.ts'
import { preInit } from '../pre-init.ts'

/** What `<system>/pre-init` runs. */
export const layoutPreInit: Command = {
  words: ['layout', 'pre-init'],
  args: '[--prefix=DIR] [--system=PATH]',
  summary: 'Makes a root out of a bare store, or puts one right; safe to repeat',
  options: {
    exec: { type: 'string' },
    prefix: { type: 'string', default: '/' },
    system: { type: 'string' },
    seed: { type: 'string' },
  },
  optionHelp: {
    exec: 'The path that the kernel started: the system that it lies in is taken',
    prefix: 'The root to make; / by default',
    system: 'The system to take, instead of the one that this program lies in',
    seed: 'A seed file for a root that has none',
  },
  run: async ({ values, print, json }) => {
    const { exec, prefix, seed } = values as Record<string, string | undefined>
    const system = chosenSystem(values.system as string | undefined, exec)
    const root = resolve(prefix ?? '/')
    const seedFile = seed === undefined ? {} : { seedFile: resolve(seed) }
    const problems = preInit({ prefix: root, system, env: process.env, ...seedFile })
    if (problems.length > 0) {
      const list = problems.map(({ step, error }) => `${step}: ${messageOf(error)}`).join('; ')
      const cause = problems[0]?.error
      throw new HostError('pre-init', `Cannot make the root "${root}": ${list}`, { cause })
    }
    print(json ? { prefix: root, system } : `${root} is made from ${system}`)
    return 0
  },
}

function chosenSystem(system: string | undefined, exec: string | undefined): string {
  if (system !== undefined) return parseStorePath(system).path
  if (exec !== undefined) return systemOf(exec)
  throw new UsageError('usage', 'Cannot make a root "without a system": --system is missing')
}
