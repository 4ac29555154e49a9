import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isErrno } from '../codec/errors.ts'
import { isAlive, kernelBootId, type ProcessIdentity } from './process-identity.ts'
import type { ActiveState, LoadedUnit } from './service-manager.ts'

/** `run/holdfast/services/<unit>.json`: what its supervisor last wrote of a service. */
export type PlainRecord = {
  unit: string
  active: ActiveState
  sub: string
  exitCode: number
  boot: string
  supervisor: ProcessIdentity
  /** The service's own process, leader of a process group of its own. */
  main?: ProcessIdentity
}

export function serviceFolder(prefix: string): string {
  return join(prefix, 'run/holdfast/services')
}

/**
 * Replaces the record, so that a reader never sees half of one. It need not survive a power cut.
 */
export function writeRecord(prefix: string, record: PlainRecord): void {
  const path = join(serviceFolder(prefix), `${record.unit}.json`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, JSON.stringify(record))
  renameSync(`${path}.new`, path)
}

export function removeRecord(prefix: string, unit: string): void {
  rmSync(join(serviceFolder(prefix), `${unit}.json`), { force: true })
}

/** The record of a service in this boot; one of an earlier boot says nothing about now. */
export function readRecord(prefix: string, unit: string): PlainRecord | undefined {
  try {
    const text = readFileSync(join(serviceFolder(prefix), `${unit}.json`), 'utf8')
    const record = JSON.parse(text) as PlainRecord
    return record.boot === kernelBootId() ? record : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

export function readRecords(prefix: string): PlainRecord[] {
  return recordNames(prefix)
    .map(name => readRecord(prefix, name.slice(0, -'.json'.length)))
    .filter(record => record !== undefined)
}

/** What is true now: a record that claims a process which is gone is that of a failed service. */
export function stateOf(record: PlainRecord): Omit<LoadedUnit, 'fragment'> {
  const { unit: name, active, sub, exitCode } = record
  const settled = active === 'failed' || active === 'inactive' || sub === 'exited'
  if (settled || isAlive(record.supervisor)) return { name, active, sub, exitCode }
  if (record.main !== undefined && isAlive(record.main)) {
    return { name, active: 'active', sub: 'running', exitCode }
  }
  return { name, active: 'failed', sub: 'failed', exitCode }
}

function recordNames(prefix: string): string[] {
  try {
    return readdirSync(serviceFolder(prefix)).filter(name => name.endsWith('.json'))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}
