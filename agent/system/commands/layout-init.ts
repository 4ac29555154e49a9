import type { Command } from '../../cli/command.ts'
import { UsageError } from '../../codec/errors.ts'
import { prepareBoot } from '../init.ts'

/** What `<system>/init` runs: it never comes back, unless it cannot boot. */
export const layoutInit: Command = {
  words: ['layout', 'init'],
  args: '--exec=PATH [-- ARG…]',
  summary: 'Makes the root out of the store and becomes its init; started by <system>/init',
  options: { exec: { type: 'string' } },
  optionHelp: { exec: 'The path that the kernel started' },
  run: async ({ values, positionals, say }) => {
    const execfn = values.exec
    if (typeof execfn !== 'string') {
      throw new UsageError('usage', 'Cannot boot "layout init": --exec is missing')
    }
    const { program, argv } = prepareBoot({ execfn, args: positionals, env: process.env, say })
    process.execve!(program, argv, process.env as Record<string, string>)
    return 1
  },
}
