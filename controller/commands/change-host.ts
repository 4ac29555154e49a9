import type { Command, Invocation } from '../../agent/cli/command.ts'
import { HoldfastError } from '../../agent/codec/errors.ts'
import type { Provider } from '../providers/provider.ts'
import { connect, connectionHelp, connectionOptions } from './connection.ts'
import { hostHelp, hostOptions, hostWord, projectOf, providerOf } from './host-options.ts'

const STOP_SECONDS_MAX = 30

/** Commands that do one thing to one host of a provider. */
const changes: [verb: string, summary: string, done: string, act: Change][] = [
  ['start', 'Switch a host on', 'runs', (provider, name) => provider.start(name)],
  [
    'stop',
    'Ask a host to shut down, and switch it off after 30 s',
    'is off',
    (provider, name) => provider.stop(name, STOP_SECONDS_MAX),
  ],
]

type Change = (provider: Provider, name: string) => Promise<void>

export const changeHostCommands: Command[] = changes.map(([verb, summary, done, act]) => ({
  words: [verb, 'host'],
  args: 'NAME',
  summary,
  options: hostOptions,
  optionHelp: hostHelp,
  run: async (invocation: Invocation) => {
    const name = hostWord(invocation, verb)
    const provider = providerOf(projectOf(invocation), name)
    await act(provider, name)
    invocation.print(invocation.json ? await provider.read(name) : `${name} ${done}`)
    return 0
  },
}))

export const destroyHost: Command = {
  words: ['destroy', 'host'],
  args: 'NAME',
  summary: 'Switch a host off and remove all of it, from the controller too',
  options: { ...connectionOptions, ...hostOptions },
  optionHelp: { ...connectionHelp, ...hostHelp },
  run: async invocation => {
    const name = hostWord(invocation, 'destroy')
    const project = projectOf(invocation)
    await providerOf(project, name).destroy(name)
    if (project.controller !== undefined) await forget(invocation, name)
    invocation.print(invocation.json ? { destroyed: name } : `${name} is gone`)
    return 0
  },
}

/** The host is gone whatever the controller says; a person can delete it there later. */
async function forget(invocation: Invocation, name: string): Promise<void> {
  try {
    await (await connect(invocation)).deleteHost(name)
  } catch (error) {
    // It never enrolled.
    if (error instanceof HoldfastError && error.code === 'no-such-host') return
    invocation.say(`the controller still lists it: run holdfast delete host ${name}`)
  }
}
