import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../agent/codec/documents.ts'
import { UsageError } from '../agent/codec/errors.ts'
import { decodeProbe, PROBE_BYTES_MAX, PROBES_MAX } from '../agent/codec/health.ts'
import { asConfig } from '../agent/codec/json-fields.ts'
import { substitutePackages } from './substitute.ts'

/**
 * Copies the probes of the directory `from` to `to`, with packages put in their places, and reads
 * each as a host will: one that a host would refuse fails every switch to the system.
 * Errors: UsageError `config`, naming the file of the person who wrote it.
 */
export function packProbes(from: string, to: string, packages: Map<string, StorePath>): void {
  const names = readdirSync(from).filter(name => name.endsWith('.json'))
  if (names.length > PROBES_MAX) {
    throw notPacked(from, `it has ${names.length} probes, and hosts run at most ${PROBES_MAX}`)
  }
  mkdirSync(to)
  for (const name of names) copyProbe(join(from, name), join(to, name))
  substitutePackages(to, packages)
  // Read only now: a command may begin with the place of a package.
  for (const name of names) checkProbe(join(to, name), join(from, name))
}

function copyProbe(from: string, to: string): void {
  const stat = statSync(from, { throwIfNoEntry: false })
  if (!stat?.isFile()) throw notPacked(from, 'it is no file')
  writeFileSync(to, readFileSync(from))
}

function checkProbe(packed: string, source: string): void {
  const bytes = readFileSync(packed)
  if (bytes.length > PROBE_BYTES_MAX) {
    throw notPacked(source, `it has more than ${PROBE_BYTES_MAX} bytes`)
  }
  asConfig(() => decodeProbe(bytes, source))
}

function notPacked(what: string, is: string): UsageError {
  return new UsageError('config', `Cannot pack the probes of "${what}": ${is}`)
}
