import { realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Command, ExitCode, Invocation } from '../../cli/command.ts'
import type { StorePath } from '../../codec/documents.ts'
import { UsageError } from '../../codec/errors.ts'
import { parseStorePath } from '../../codec/store-path.ts'
import { type SwitchAction, switchToConfiguration } from '../switch-to-configuration.ts'

const ACTIONS = ['switch', 'boot', 'test', 'dry-activate']

/** `bin/switch-to-configuration` of a system of ours: its launcher says which one with `--exec`. */
export const switchToConfigurationCommand: Command = {
  words: ['layout', 'switch-to-configuration'],
  args: 'switch|boot|test|dry-activate',
  summary: 'Make this host run a system of its store',
  options: {
    prefix: { type: 'string' },
    system: { type: 'string' },
    exec: { type: 'string' },
  },
  optionHelp: {
    prefix: 'The root directory to act on, / by default',
    system: 'The store path of the system',
    exec: 'The program inside the system path that was started',
  },
  async run({ values, positionals, say, signal }) {
    // Cut off like this, it leaves what the next run continues from; waiting would help nobody.
    signal.addEventListener('abort', () => process.exit(143))
    const [action, ...more] = positionals
    if (action === undefined || more.length > 0 || !ACTIONS.includes(action)) {
      throw new UsageError(
        'usage',
        `Cannot do "${positionals.join(' ')}": it is ${ACTIONS.join(', ')}`,
      )
    }
    const prefix = typeof values.prefix === 'string' ? values.prefix : '/'
    if (prefix === '/' && process.getuid?.() !== 0) {
      throw new UsageError('not-root', 'Cannot switch "/": only root may')
    }
    const system = systemOf(values)
    return (await switchToConfiguration({
      prefix,
      system,
      action: action as SwitchAction,
      say,
    })) as ExitCode // 4 is NixOS's own: switched, but units failed.
  },
}

/** The system is named, or is the store path that holds the program. */
function systemOf({ system, exec }: Invocation['values']): StorePath {
  if (typeof system === 'string') return parseStorePath(system).path
  if (typeof exec === 'string') return parseStorePath(dirname(dirname(realpathSync(exec)))).path
  throw new UsageError('usage', 'Cannot switch "": --system is needed')
}
