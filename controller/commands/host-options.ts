import { dirname, join } from 'node:path'
import type { Invocation } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { type Project, readProject } from '../../installer/project.ts'
import { readHost } from '../providers/host-folders.ts'
import { openProvider } from '../providers/open-provider.ts'
import type { Provider } from '../providers/provider.ts'

/** The options of every command that creates, starts, stops or destroys hosts. */
export const hostOptions = { project: { type: 'string' } } as const

export const hostHelp = { project: 'The project file, instead of the nearest holdfast.json' }

export function projectOf({ values }: Invocation): Project {
  return readProject(typeof values.project === 'string' ? values.project : undefined)
}

/** Where the hosts of a project have their disks. */
export function hostsDirectory(project: Project): string {
  return join(dirname(project.file), '.holdfast/hosts')
}

/** The provider that made the host. */
export function providerOf(project: Project, name: string): Provider {
  const directory = hostsDirectory(project)
  return openProvider(readHost(directory, name).provider, directory)
}

/** The one word that names the host. */
export function hostWord({ positionals }: Invocation, verb: string): string {
  const [name, ...more] = positionals
  if (name === undefined || more.length > 0) {
    throw new UsageError('usage', `Cannot ${verb} "host": it takes one NAME`)
  }
  return name
}
