import { dirname, join } from 'node:path'
import type { Invocation } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { type Project, readProject } from '../../installer/project.ts'
import { openProvider } from '../providers/open-provider.ts'
import type { Provider } from '../providers/provider.ts'

/** The options of every command that creates, starts, stops or destroys hosts. */
export const hostOptions = {
  provider: { type: 'string', default: 'nspawn' },
  project: { type: 'string' },
} as const

export const hostHelp = {
  provider: 'What the host runs on: nspawn (default) or plain',
  project: 'The project file, instead of the nearest holdfast.json',
}

/** What such a command works with: the project, and the provider whose hosts lie below it. */
export function openHosts({ values }: Invocation): { project: Project; provider: Provider } {
  const project = readProject(typeof values.project === 'string' ? values.project : undefined)
  const directory = join(dirname(project.file), '.holdfast/hosts')
  return { project, provider: openProvider(String(values.provider), directory) }
}

/** The one word that names the host. */
export function hostWord({ positionals }: Invocation, verb: string): string {
  const [name, ...more] = positionals
  if (name === undefined || more.length > 0) {
    throw new UsageError('usage', `Cannot ${verb} "host": it takes one NAME`)
  }
  return name
}
