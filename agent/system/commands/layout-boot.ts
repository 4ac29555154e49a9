import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from '../../cli/command.ts'
import { messageOf, UsageError } from '../../codec/errors.ts'
import { parseStorePath } from '../../codec/store-path.ts'
import { agentCommand } from '../agent-command.ts'
import { preInit } from '../pre-init.ts'
import { readProfile } from '../profile.ts'
import { startBoot } from '../running.ts'
import { switchToConfiguration } from '../switch-to-configuration.ts'

/**
 * What power-on is for a root in a plain directory: the root is put right, then services and agent.
 */
export const layoutBoot: Command = {
  words: ['layout', 'boot'],
  args: '--prefix=DIR --system=PATH',
  summary: 'Starts the services and the agent of a root in a plain directory',
  options: { prefix: { type: 'string' }, system: { type: 'string' } },
  optionHelp: {
    prefix: 'The root directory',
    system: 'The system of a root that was never started; later the committed one starts',
  },
  run: async ({ values, say }) => {
    if (typeof values.prefix !== 'string' || typeof values.system !== 'string') {
      throw new UsageError('usage', 'Cannot boot a directory: it needs --prefix and --system')
    }
    const prefix = resolve(values.prefix)
    const system = readProfile(prefix)?.system ?? parseStorePath(values.system).path
    rmSync(join(prefix, 'run'), { recursive: true, force: true }) // As memory forgets.
    for (const { step, error } of preInit({ prefix, system, env: process.env })) {
      say(`${step}: ${messageOf(error)}`)
    }
    startBoot(prefix, system)
    const exit = await switchToConfiguration({ prefix, system, action: 'test', say })
    if (exit !== 0) say(`not every service of ${system} started`)
    startAgent(prefix)
    return 0
  },
}

function startAgent(prefix: string): void {
  const [program = '', ...words] = [...agentCommand(), 'run', '--prefix', prefix]
  spawn(program, words, { detached: true, stdio: ['ignore', 'inherit', 'inherit'] }).unref()
}
