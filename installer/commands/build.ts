import { rmSync, symlinkSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { openStore } from '../../agent/store/open-store.ts'
import { buildSystem } from '../build.ts'
import { readBuildFile } from '../build-file.ts'

/** `holdfast build`: from a root file system, units and files to a system in a store. */
export const build: Command = {
  words: ['build'],
  args: 'FILE [--store=DIR] [--result=LINK]',
  summary: 'Packs the system that a build file describes into a store',
  options: {
    store: { type: 'string', default: 'store' },
    result: { type: 'string' },
    node: { type: 'string' },
  },
  optionHelp: {
    store: 'The root of the store, made if absent; ./store by default',
    result: 'A symbolic link to make to the system in that store',
    node: "The Node program that the agent shall run on; npm's own by default",
  },
  run: async ({ values, positionals, json, print, say }) => {
    const [file, ...more] = positionals
    if (file === undefined || more.length > 0) {
      throw new UsageError('usage', 'Cannot run "build": it takes one build file')
    }
    const description = readBuildFile(file)
    const store = openStore(resolve(values.store as string))
    try {
      const node = typeof values.node === 'string' ? { node: resolve(values.node) } : {}
      const result = await buildSystem({ store, build: description, say, ...node })
      if (typeof values.result === 'string') link(values.result, store.physical(result.system))
      print(json ? result : result.system)
      return 0
    } finally {
      store.close()
    }
  },
}

function link(path: string, target: string): void {
  rmSync(path, { force: true })
  symlinkSync(target, path)
}
