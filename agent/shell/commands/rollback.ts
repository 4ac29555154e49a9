import type { Command } from '../../cli/command.ts'
import { askAgent } from '../control-client.ts'
import { statusText } from '../status-text.ts'
import { prefixHelp, prefixOption, refuseWords, socketOf } from './options.ts'

export const rollbackCommand: Command = {
  words: ['rollback'],
  args: '',
  summary: 'Go back to the generation before, and do not try the newest release again',
  options: prefixOption,
  optionHelp: prefixHelp,
  async run({ values, positionals, json, print, signal }) {
    refuseWords('rollback', positionals)
    const status = await askAgent(socketOf(values), { command: 'rollback' }, signal)
    print(json ? status : statusText(status))
    return 0
  },
}
