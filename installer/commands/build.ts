import { lstatSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command, Invocation } from '../../agent/cli/command.ts'
import { HoldfastError, UsageError } from '../../agent/codec/errors.ts'
import { linkDurably } from '../../agent/files/durable.ts'
import { openStore } from '../../agent/store/open-store.ts'
import { buildSystem } from '../build.ts'
import { readBuildFile } from '../build-file.ts'
import { readProject } from '../project.ts'

/** `holdfast build`: from a root file system, units and files to a system in a store. */
export const build: Command = {
  words: ['build'],
  args: 'FILE [--store=DIR] [--result=LINK]',
  summary: 'Packs the system that a build file describes into a store',
  options: {
    store: { type: 'string' },
    project: { type: 'string' },
    result: { type: 'string' },
    node: { type: 'string' },
  },
  optionHelp: {
    store: "The root of the store, made if absent; by default the project's, or ./store",
    project: 'The project file; by default holdfast.json here or above',
    result: 'A symbolic link to make to the system in that store',
    node: "The Node program that the agent shall run on; npm's own by default",
  },
  run: async ({ values, positionals, json, print, say }) => {
    const [file, ...more] = positionals
    if (file === undefined || more.length > 0) {
      throw new UsageError('usage', 'Cannot run "build": it takes one build file')
    }
    const description = readBuildFile(file)
    const result = typeof values.result === 'string' ? resultLink(values.result) : undefined
    const store = openStore(storeOf(values))
    try {
      const node = typeof values.node === 'string' ? { node: resolve(values.node) } : {}
      const built = await buildSystem({ store, build: description, say, ...node })
      if (result !== undefined) linkDurably(result, store.physical(built.system))
      print(json ? built : built.system)
      return 0
    } finally {
      store.close()
    }
  },
}

function storeOf({ store, project }: Invocation['values']): string {
  if (typeof store === 'string') return resolve(store)
  try {
    return readProject(typeof project === 'string' ? project : undefined).store
  } catch (error) {
    const isAbsent = error instanceof HoldfastError && error.code === 'no-project'
    if (isAbsent && project === undefined) return resolve('store')
    throw error
  }
}

/** Only a link gives way to a link: whatever else stands there was not made by an earlier build. */
function resultLink(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined || stat.isSymbolicLink()) return resolve(path)
  throw new UsageError('exists', `Cannot make the link "${path}": it is there and is no link`)
}
