import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject, parseJson } from '../codec/json.ts'
import type { Status } from '../codec/report.ts'
import type { PhaseChange } from '../codec/report-envelope.ts'
import {
  changeOf,
  cutText,
  HISTORY_MAX,
  REJECTED_MAX,
  readChange,
  SOURCES_MAX,
} from '../codec/report-fields.ts'

/**
 * What a controller has not taken yet: the newest status, and the phase changes before it. The
 * changes are also in a file, because each update restarts the agent; a power cut may lose them.
 */
export class ReportQueue {
  readonly #path: string
  #changes: PhaseChange[]
  #status: Status | undefined
  #seen = ''

  constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, 'report.queue')
    this.#changes = readChanges(this.#path)
  }

  get status(): Status | undefined {
    return this.#status
  }

  get changes(): PhaseChange[] {
    return this.#changes
  }

  /** Takes a status; `id` numbers the change if it is one. Returns whether it is one. */
  push(status: Status, id: () => number): boolean {
    this.#status = boundStatus(status)
    const change = changeOf(this.#status)
    const text = JSON.stringify(change)
    if (text === this.#seen) return false
    this.#seen = text
    const full = { id: id(), at: new Date().toISOString(), ...change }
    this.#changes = [...this.#changes, full].slice(-HISTORY_MAX)
    this.#save()
    return true
  }

  /** Drops the changes that a controller has taken. */
  taken(changes: PhaseChange[]): void {
    if (changes.length === 0) return
    const last = changes.at(-1)!.id
    this.#changes = this.#changes.filter(change => change.id > last)
    this.#save()
  }

  /** Not flushed: the file is for restarts, and a report is not worth a disk's time. */
  #save(): void {
    const temporary = `${this.#path}.new`
    writeFileSync(temporary, JSON.stringify(this.#changes), { mode: 0o600 })
    renameSync(temporary, this.#path)
  }
}

/** The same status, no larger than a controller takes it. */
function boundStatus(status: Status): Status {
  const bounded: Status = {
    ...status,
    rejected: status.rejected
      .slice(-REJECTED_MAX)
      .map(rejection => ({ ...rejection, message: cutText(rejection.message) })),
    sources: status.sources.slice(0, SOURCES_MAX).map(source => ({
      ...source,
      name: cutText(source.name),
      ...(source.message !== undefined && { message: cutText(source.message) }),
    })),
  }
  if (status.message !== undefined) bounded.message = cutText(status.message)
  return bounded
}

function readChanges(path: string): PhaseChange[] {
  try {
    const value = parseJson(readFileSync(path), { what: path })
    if (!Array.isArray(value)) return []
    return value.filter(isObject).map(readChange).slice(-HISTORY_MAX)
  } catch {
    return [] // Absent or torn: the controller misses some history and nothing else.
  }
}
