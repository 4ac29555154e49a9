import type { Command, ExitCode, Invocation } from '../../cli/command.ts'
import { UsageError } from '../../codec/errors.ts'
import { parseStorePath } from '../../codec/store-path.ts'
import { runActivation } from '../activation-run.ts'

/** `holdfast-agent layout activate`: what runs inside an activation's own unit. */
export const activateCommand: Command = {
  words: ['layout', 'activate'],
  args: '--system=PATH --attempt=NAME --action=test|switch',
  summary: 'Run one activation and keep its result (started by the agent)',
  options: {
    prefix: { type: 'string', default: '/' },
    system: { type: 'string' },
    attempt: { type: 'string' },
    action: { type: 'string' },
    deadline: { type: 'string', default: '600' },
  },
  optionHelp: {
    prefix: 'The root directory to act on',
    system: 'The store path of the system',
    attempt: 'Names the result; one name runs once',
    action: 'What to do: test or switch',
    deadline: 'Seconds after which it is ended',
  },
  async run({ values, signal }) {
    const action = text(values, 'action')
    if (action !== 'test' && action !== 'switch') {
      throw new UsageError('usage', `Cannot activate with "${action}": it is test or switch`)
    }
    const deadlineSeconds = Number(text(values, 'deadline'))
    if (!(deadlineSeconds > 0 && deadlineSeconds <= 86_400)) {
      throw new UsageError('usage', 'Cannot use "--deadline": it is 1 to 86400 seconds')
    }
    const run = {
      prefix: text(values, 'prefix'),
      system: parseStorePath(text(values, 'system')).path,
      attempt: text(values, 'attempt'),
      action,
      deadlineSeconds,
    } as const
    return (await runActivation(run, signal)) as ExitCode
  },
}

function text(values: Invocation['values'], name: string): string {
  const value = values[name]
  if (typeof value === 'string') return value
  throw new UsageError('usage', `Cannot activate "": --${name} is needed`)
}
