import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Closure, StorePath } from '../../agent/codec/documents.ts'
import { addToStore } from '../../agent/store/add-to-store.ts'
import { openStore } from '../../agent/store/open-store.ts'
import { needs } from './needs.ts'
import { temporaryDirectory } from './temporary.ts'

export type TestClosure = { root: string; closure: Closure }

/** A store with a closure of a few paths, each of which refers to those before it. */
export function makeClosure(t: TestContext, names = ['base', 'lib', 'tool', 'top']): TestClosure {
  const root = temporaryDirectory(t)
  const store = openStore(root)
  const references: StorePath[] = []
  for (const name of names) {
    const source = makeTree(t, name, references)
    references.push(addToStore({ store, source, name, references }).path)
  }
  const system = references.at(-1)!
  const closure = {
    system,
    paths: store.closure(system).sort((a, b) => (a.path < b.path ? -1 : 1)),
  }
  store.close()
  return { root, closure }
}

/** Every kind of entry; large and small, easy and hard to compress. */
function makeTree(t: TestContext, name: string, references: StorePath[]): string {
  const top = join(temporaryDirectory(t), name)
  mkdirSync(join(top, 'share/doc'), { recursive: true })
  writeFileSync(join(top, 'references'), references.join('\n'))
  writeFileSync(join(top, 'share/doc/large'), `${name} lorem ipsum `.repeat(40_000))
  writeFileSync(join(top, 'share/hard'), Buffer.from(scramble(name, 100_000)))
  writeFileSync(join(top, 'empty'), '')
  writeFileSync(join(top, 'tool'), '#!/bin/sh\n')
  chmodSync(join(top, 'tool'), 0o755)
  symlinkSync('/etc/outside', join(top, 'absolute'))
  symlinkSync(references[0] ?? 'empty', join(top, 'link'))
  writeFileSync(Buffer.from(`${top}/\xff\xfe`, 'latin1'), 'not UTF-8')
  return top
}

function scramble(name: string, length: number): number[] {
  let state = name.length + name.charCodeAt(0) * 256
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state >>> 24
  })
}

/** Has real Nix copy the closure to a binary cache; returns its directory. */
export function nixCache(t: TestContext, from: TestClosure, compression: string): string {
  needs('nix')
  const directory = join(temporaryDirectory(t), 'cache')
  const features = ['--extra-experimental-features', 'nix-command']
  const to = `file://${directory}?compression=${compression}`
  const words = ['copy', '--no-check-sigs', '--from', `local?root=${from.root}`, '--to', to]
  execFileSync('nix', [...features, ...words, from.closure.system], {
    env: { ...process.env, HOME: directory },
    stdio: 'pipe',
  })
  return directory
}
