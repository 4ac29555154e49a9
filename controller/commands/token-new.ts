import type { Command, Invocation } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { connect, connectionHelp, connectionOptions } from './connection.ts'
import { readSeconds } from './duration.ts'

export const tokenNew: Command = {
  words: ['token', 'new'],
  args: '[HOST]',
  summary: 'Make a join token with which a host enrols',
  options: {
    ...connectionOptions,
    expires: { type: 'string' },
    uses: { type: 'string' },
    'any-host': { type: 'boolean' },
  },
  optionHelp: {
    ...connectionHelp,
    expires: 'How long it is good, such as 10m or 2h; 1h by default',
    uses: 'How many hosts may enrol with it; 1 by default',
    'any-host': 'Do not bind it to a host name',
  },
  run,
}

async function run(invocation: Invocation) {
  const { values, positionals } = invocation
  const [host, ...rest] = positionals
  const anyHost = values['any-host'] === true
  if (rest.length > 0 || (host === undefined) !== anyHost) {
    const is = 'it takes one HOST, or --any-host'
    throw new UsageError('usage', `Cannot make "token": ${is}`)
  }
  const uses = Number(values.uses ?? 1)
  if (!Number.isInteger(uses) || uses < 1) {
    throw new UsageError('usage', `Cannot read "--uses=${values.uses}": it is no count`)
  }
  const expiresSeconds = readSeconds(values.expires, 'expires')
  const made = await (await connect(invocation)).makeToken({
    uses,
    ...(host !== undefined && { host }),
    ...(expiresSeconds !== undefined && { expiresSeconds }),
  })
  invocation.print(invocation.json ? made : made.token)
  if (!invocation.json) invocation.say(`Good until ${made.expiresAt}, for ${uses} enrolment(s)`)
  return 0 as const
}
