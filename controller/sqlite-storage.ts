import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { isErrno, messageOf, UsageError } from '../agent/codec/errors.ts'
import { SqliteTransaction } from './sqlite-transaction.ts'
import type { EventRecord, Storage, Transaction } from './storage.ts'

const SCHEMA_VERSION = 1
/** Marks the file as ours: "HOLD". */
const APPLICATION_ID = 0x484f4c44
/** So many waiting transactions share one commit, and with it one flush of the disk. */
const GROUP_MAX = 64

const schema = `
create table host (name text primary key, fingerprint text not null unique,
  body text not null) strict;
create table token (hash text primary key, expires_at integer not null, body text not null) strict;
create table rollout (channel text, epoch integer, version integer, started_at integer not null,
  body text not null, primary key (channel, epoch, version)) strict;
create table event (id integer primary key autoincrement, body text not null) strict;
pragma application_id = ${APPLICATION_ID};
pragma user_version = ${SCHEMA_VERSION};
`

type Pending = {
  work: (tx: Transaction) => Promise<void>
  durable: boolean
  fail: (e: unknown) => void
}

/**
 * The storage in one file, `<directory>/controller.db`, for one process at a time. Errors:
 * UsageError `state-busy` while another process has it, `corrupt-state` when it is something else.
 */
export async function openSqliteStorage(directory: string): Promise<Storage> {
  const path = join(directory, 'controller.db')
  const { DatabaseSync } = await import('node:sqlite')
  try {
    const database = new DatabaseSync(path, { timeout: 1000 })
    prepareDatabase(database, path)
    return new SqliteStorage(database)
  } catch (error) {
    throw asUsage(error, path)
  }
}

function prepareDatabase(database: DatabaseSync, path: string): void {
  // One process only: events are handed to listeners in memory, and a second would miss them.
  database.exec('pragma locking_mode = exclusive; pragma journal_mode = wal;')
  database.exec('pragma synchronous = normal; begin immediate;')
  const version = database.prepare('pragma user_version').get()?.user_version
  const tables = database.prepare('select count(*) as n from sqlite_schema').get()?.n
  if (version === 0 && tables === 0) database.exec(schema)
  else if (version !== SCHEMA_VERSION) throw corrupt(path, `its schema is version ${version}`)
  database.exec('commit')
  const check = database.prepare('pragma quick_check(1)').get()?.quick_check
  if (check !== 'ok') throw corrupt(path, `it is damaged (${check})`)
}

class SqliteStorage implements Storage {
  readonly #database: DatabaseSync
  readonly #listeners = new Set<(event: EventRecord) => void>()
  #pending: Pending[] = []
  #draining: Promise<void> | undefined

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  transaction<T>(
    work: (tx: Transaction) => Promise<T>,
    { durable = false }: { durable?: boolean } = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: { value: T } | undefined
      const run = async (tx: Transaction) => {
        result = { value: await work(tx) }
        this.#done.push(() => resolve(result!.value))
      }
      this.#pending.push({ work: run, durable, fail: reject })
      this.#draining ??= this.#drain()
    })
  }

  subscribe(listener: (event: EventRecord) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    await this.#draining
    this.#database.close()
  }

  /** What to tell once the group is committed. */
  #done: (() => void)[] = []

  async #drain(): Promise<void> {
    await undefined // What asks in the same turn shares the first group.
    while (this.#pending.length > 0) {
      const group = this.#pending.splice(0, GROUP_MAX)
      await this.#commit(group)
    }
    this.#draining = undefined
  }

  async #commit(group: Pending[]): Promise<void> {
    const database = this.#database
    const events: EventRecord[] = []
    this.#done = []
    try {
      const durable = group.some(pending => pending.durable)
      database.exec(`pragma synchronous = ${durable ? 'full' : 'normal'}; begin immediate;`)
      for (const pending of group) await this.#runOne(pending, events)
      database.exec('commit')
    } catch (error) {
      if (database.isTransaction) database.exec('rollback')
      for (const pending of group) pending.fail(error)
      return
    }
    for (const done of this.#done) done()
    for (const event of events) for (const listener of this.#listeners) listener(event)
  }

  /** One that fails takes back its own changes; the others of its group stay. */
  async #runOne(pending: Pending, events: EventRecord[]): Promise<void> {
    const tx = new SqliteTransaction(this.#database)
    this.#database.exec('savepoint one')
    try {
      await pending.work(tx)
      this.#database.exec('release one')
      events.push(...tx.events)
    } catch (error) {
      this.#database.exec('rollback to one; release one;')
      pending.fail(error)
    }
  }
}

function corrupt(path: string, is: string): UsageError {
  return new UsageError('corrupt-state', `Cannot use "${path}": ${is}`)
}

function asUsage(error: unknown, path: string): unknown {
  if (error instanceof UsageError || !isErrno(error, 'ERR_SQLITE_ERROR')) return error
  const number = (error as { errcode?: number }).errcode ?? 0
  const [busy, readOnly, cannotOpen, full, notADatabase, damaged] = [5, 8, 14, 13, 26, 11]
  const primary = number & 0xff
  const details = { cause: error }
  if (primary === busy) {
    return new UsageError('state-busy', `Cannot use "${path}": another controller has it`, details)
  }
  if (primary === notADatabase || primary === damaged) return corrupt(path, messageOf(error))
  if (primary === full) {
    return new UsageError('no-space', `Cannot write "${path}": no space is left`, details)
  }
  if (primary === readOnly || primary === cannotOpen) {
    return new UsageError('denied', `Cannot write "${path}": ${messageOf(error)}`, details)
  }
  return error
}
