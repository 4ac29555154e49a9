import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { StorePath } from '../../agent/codec/documents.ts'
import { addToStore } from '../../agent/store/add-to-store.ts'
import { openStore } from '../../agent/store/open-store.ts'
import { keysNew } from '../../installer/commands/keys-new.ts'
import { rootInit } from '../../installer/commands/root-init.ts'
import { ranCommand } from './run-command.ts'
import { temporaryDirectory } from './temporary.ts'
import { git } from './tree-repository.ts'

export type TestProject = {
  directory: string
  /** `holdfast.json`. */
  file: string
  key: (name: string) => string
  /** Adds a system of one file to the store. */
  system: (name: string, text: string, references?: StorePath[]) => StorePath
  /** Writes the project file again with other fields. */
  configure: (change: Record<string, unknown>) => void
}

/** A whole operator's side: keys, a signed root, a store, a repository, and holdfast.json. */
export async function makeProject(t: TestContext, releaseKeys = 1): Promise<TestProject> {
  const directory = temporaryDirectory(t)
  const key = (name: string) => join(directory, 'keys', name)
  const names = Array.from({ length: releaseKeys }, (_, index) => `release-${index + 1}`)
  await quietly([['keys', 'new', 'root', 'root-1', `--directory=${key('')}`]])
  await quietly(names.map(name => ['keys', 'new', 'release', name, `--directory=${key('')}`]))
  const words = [
    ...['root', 'init', '--fleet=demo', `--directory=${join(directory, 'root')}`],
    ...[`--root-key=${key('root-1.pub')}`, `--sign-with=${key('root-1')}`],
    ...names.map(name => `--release-key=${key(`${name}.pub`)}`),
    `--threshold-release=${releaseKeys}`,
  ]
  await quietly([words])
  git('/', 'init', '--quiet', '--bare', '--initial-branch=main', join(directory, 'fleet.git'))
  const file = join(directory, 'holdfast.json')
  const configure = (change: Record<string, unknown>) => {
    const project = { ...defaults(names), ...change }
    writeFileSync(file, JSON.stringify(project))
  }
  configure({})
  openStore(join(directory, 'store')).close()
  return { directory, file, key, configure, system: systemAdder(directory) }
}

function defaults(keys: string[]) {
  return {
    fleet: 'demo',
    channel: 'prod',
    keys: { root: ['keys/root-1'], release: keys.map(name => `keys/${name}`) },
    cache: { directory: 'cache', urls: ['http://cache.example'] },
    git: { url: './fleet.git', branch: 'main' },
  }
}

function systemAdder(directory: string): TestProject['system'] {
  return (name, text, references = []) => {
    const source = join(directory, 'sources', name)
    mkdirSync(source, { recursive: true })
    writeFileSync(join(source, 'text'), [text, ...references].join('\n'))
    const store = openStore(join(directory, 'store'))
    try {
      return addToStore({ store, source, name, references }).path
    } finally {
      store.close()
    }
  }
}

/** Runs commands that have to succeed, with what they print held back. */
async function quietly(commands: string[][]): Promise<void> {
  for (const words of commands) {
    const { exit, stderr } = await ranCommand([keysNew, rootInit], words)
    if (exit !== 0) throw new Error(`${words.join(' ')} ended with ${exit}: ${stderr}`)
  }
}
