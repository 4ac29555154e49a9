import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { HostError, isErrno } from '../codec/errors.ts'
import { encodeJson } from '../codec/json.ts'
import { syncDirectory, writeDurably } from '../files/durable.ts'
import type { ProcessIdentity } from './process-identity.ts'

export type ActivationAction = 'test' | 'switch'

/** `<attempt>.started`: there from the first moment, so that an attempt never runs twice. */
export type ActivationStart = {
  attempt: string
  system: StorePath
  action: ActivationAction
  bootId: string
  wrapper: ProcessIdentity
  /** The leader of the process group that switches; absent before it runs. */
  child?: ProcessIdentity
}

/** `<attempt>.json`: what became of it. */
export type ActivationOutcome = {
  attempt: string
  system: StorePath
  action: ActivationAction
  bootId: string
  /** 124 when the deadline ended it, 143 when it was asked to stop. */
  exitCode: number
  /** The last of what it printed. */
  output: string
}

/** Attempts that are kept to look at. */
const KEPT_MAX = 32

export type AttemptPlace = { prefix: string; attempt: string }

/**
 * Takes the attempt: true for the one caller who may run it, ever. The file is written beside and
 * linked to its name, which fails where the name exists: so neither a second agent nor a power cut
 * makes it run again, and nobody ever sees the name without its content.
 */
export function takeAttempt(place: AttemptPlace, start: ActivationStart): boolean {
  const folder = activationFolder(place.prefix)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = startFile(place)
  const scratch = join(folder, `.${place.attempt}.${process.pid}`)
  writeDurably(scratch, JSON.stringify(start))
  try {
    linkSync(scratch, path)
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw error
  } finally {
    rmSync(scratch, { force: true })
  }
  syncDirectory(folder)
  forgetOldest(folder)
  return true
}

/** Adds the child once it runs. */
export function noteChild(place: AttemptPlace, start: ActivationStart): void {
  writeDurably(startFile(place), JSON.stringify(start))
}

export function writeOutcome(place: AttemptPlace, outcome: ActivationOutcome): void {
  writeDurably(outcomeFile(place), encodeJson({ type: 'holdfast-activation-1', ...outcome }))
}

export function readStart(place: AttemptPlace): ActivationStart | undefined {
  return readRecord(startFile(place)) as ActivationStart | undefined
}

export function readOutcome(place: AttemptPlace): ActivationOutcome | undefined {
  return readRecord(outcomeFile(place)) as ActivationOutcome | undefined
}

/** Whether the attempt was ever taken, even if a power cut left nothing in its file. */
export function isTaken(place: AttemptPlace): boolean {
  return statSync(startFile(place), { throwIfNoEntry: false }) !== undefined
}

function readRecord(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // Taken, but cut off before a word was written.
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

function startFile(place: AttemptPlace): string {
  return fileOf(place, 'started')
}

function outcomeFile(place: AttemptPlace): string {
  return fileOf(place, 'json')
}

/** An attempt names files and a unit: letters, digits and a few signs. */
function fileOf({ prefix, attempt }: AttemptPlace, ending: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(attempt)) {
    throw new HostError('activation', `Cannot name an activation "${attempt}": it has other signs`)
  }
  return join(activationFolder(prefix), `${attempt}.${ending}`)
}

function activationFolder(prefix: string): string {
  return join(prefix, 'var/lib/holdfast/activations')
}

function forgetOldest(folder: string): void {
  const byAge = readdirSync(folder)
    .filter(name => name.endsWith('.started'))
    .map(name => ({ name, at: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at)
  for (const { name } of byAge.slice(KEPT_MAX)) {
    rmSync(join(folder, name), { force: true })
    rmSync(join(folder, name.replace(/started$/, 'json')), { force: true })
  }
}
