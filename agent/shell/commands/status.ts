import type { Command } from '../../cli/command.ts'
import { askAgent } from '../control-client.ts'
import { exitCodeOf } from '../exit-code.ts'
import { statusText } from '../status-text.ts'
import { prefixHelp, prefixOption, refuseWords, socketOf } from './options.ts'

export const statusCommand: Command = {
  words: ['status'],
  args: '',
  summary: 'Say how this host is: exit 0 synced, 1 degraded, 2 not known, 3 held',
  options: prefixOption,
  optionHelp: prefixHelp,
  async run({ values, positionals, json, print, signal }) {
    refuseWords('status', positionals)
    const status = await askAgent(socketOf(values), { command: 'status' }, signal)
    print(json ? status : statusText(status))
    return exitCodeOf(status)
  },
}
