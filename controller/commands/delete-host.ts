import type { Command, Invocation } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { connect, connectionHelp, connectionOptions } from './connection.ts'

export const deleteHost: Command = {
  words: ['delete', 'host'],
  args: 'HOST',
  summary: 'Make the controller forget a host and its key',
  options: connectionOptions,
  optionHelp: connectionHelp,
  run,
}

async function run(invocation: Invocation) {
  const [host, ...rest] = invocation.positionals
  if (host === undefined || rest.length > 0) {
    throw new UsageError('usage', 'Cannot delete "host": it takes one HOST')
  }
  await (await connect(invocation)).deleteHost(host)
  invocation.print(invocation.json ? { removed: host } : `Removed ${host}`)
  return 0 as const
}
