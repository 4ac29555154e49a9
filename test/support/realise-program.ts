/** Realises a closure in a process of its own: ROOT MANIFEST CACHE… ; prints what was fetched. */
import { readFileSync } from 'node:fs'
import { decodeClosure } from '../../agent/codec/closure.ts'
import { openStore } from '../../agent/store/open-store.ts'
import { realise } from '../../agent/store/realise.ts'

const [root, manifest, ...caches] = process.argv.slice(2)
const store = openStore(root!)
const closure = decodeClosure(readFileSync(manifest!))
const realised = await realise({ store, closure, caches, signal: new AbortController().signal })
store.close()
process.stdout.write(`${JSON.stringify(realised)}\n`)
