import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import {
  EVENTS_MAX,
  type EventRecord,
  type FleetEvent,
  type HostRecord,
  ROLLOUTS_ALL_MAX,
  ROLLOUTS_MAX,
  type RolloutKey,
  type RolloutRecord,
  type TokenRecord,
  type Transaction,
} from './storage.ts'

const statements = new WeakMap<DatabaseSync, Map<string, StatementSync>>()

/** Records as JSON beside the columns that are looked up; SQLite answers at once, and briefly. */
export class SqliteTransaction implements Transaction {
  readonly #database: DatabaseSync
  /** Added here, to be told to listeners once they are committed. */
  readonly events: EventRecord[] = []

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  async host(name: string): Promise<HostRecord | undefined> {
    return this.#one('select body from host where name = ?', name)
  }

  async hostByKey(fingerprint: string): Promise<HostRecord | undefined> {
    return this.#one('select body from host where fingerprint = ?', fingerprint)
  }

  async hosts(): Promise<HostRecord[]> {
    return this.#all('select body from host order by name')
  }

  async putHost(host: HostRecord): Promise<void> {
    const sql = `insert into host (name, fingerprint, body) values (?, ?, ?)
      on conflict (name) do update set fingerprint = excluded.fingerprint, body = excluded.body`
    this.#run(sql, host.name, host.fingerprint, JSON.stringify(host))
  }

  async deleteHost(name: string): Promise<boolean> {
    return this.#run('delete from host where name = ?', name) > 0
  }

  async token(hash: string): Promise<TokenRecord | undefined> {
    return this.#one('select body from token where hash = ?', hash)
  }

  async putToken(token: TokenRecord): Promise<void> {
    const sql = 'insert or replace into token (hash, expires_at, body) values (?, ?, ?)'
    this.#run(sql, token.hash, token.expiresAt, JSON.stringify(token))
  }

  async deleteToken(hash: string): Promise<void> {
    this.#run('delete from token where hash = ?', hash)
  }

  async deleteTokensBefore(expiresAt: number): Promise<void> {
    this.#run('delete from token where expires_at < ?', expiresAt)
  }

  async rollout({ channel, epoch, version }: RolloutKey): Promise<RolloutRecord | undefined> {
    const sql = 'select body from rollout where channel = ? and epoch = ? and version = ?'
    return this.#one(sql, channel, epoch, version)
  }

  async rollouts(channel?: string): Promise<RolloutRecord[]> {
    const where = channel === undefined ? '' : 'where channel = ?'
    const sql = `select body from rollout ${where} order by epoch desc, version desc, channel`
    return channel === undefined ? this.#all(sql) : this.#all(sql, channel)
  }

  async putRollout(rollout: RolloutRecord): Promise<void> {
    const { channel, epoch, version, startedAt } = rollout
    const sql = `insert or replace into rollout (channel, epoch, version, started_at, body)
      values (?, ?, ?, ?, ?)`
    this.#run(sql, channel, epoch, version, startedAt, JSON.stringify(rollout))
    // By age, not by number: a host that invents great numbers must not push out the others.
    const prune = `delete from rollout where channel = ? and (epoch, version) not in (select epoch,
      version from rollout where channel = ? order by started_at desc limit ${ROLLOUTS_MAX})`
    this.#run(prune, channel, channel)
    const pruneAll = `delete from rollout where (channel, epoch, version) not in (select channel,
      epoch, version from rollout order by started_at desc limit ${ROLLOUTS_ALL_MAX})`
    this.#run(pruneAll)
  }

  async addEvent(event: FleetEvent): Promise<void> {
    const sql = 'insert into event (body) values (?) returning id'
    const row = this.#statement(sql).get(JSON.stringify(event)) as { id: number }
    this.events.push({ id: row.id, ...event })
    this.#run('delete from event where id <= ?', row.id - EVENTS_MAX)
  }

  async eventsAfter(id: number, limit: number): Promise<EventRecord[]> {
    const sql = 'select id, body from event where id > ? order by id limit ?'
    const rows = this.#statement(sql).all(id, limit) as { id: number; body: string }[]
    return rows.map(row => ({ id: row.id, ...(JSON.parse(row.body) as FleetEvent) }))
  }

  async eventRange(): Promise<{ first: number; last: number }> {
    const sql = 'select coalesce(min(id), 0) as first, coalesce(max(id), 0) as last from event'
    const { first, last } = this.#statement(sql).get() as { first: number; last: number }
    return { first, last }
  }

  #one<T>(sql: string, ...values: SQLInputValue[]): T | undefined {
    const row = this.#statement(sql).get(...values) as { body: string } | undefined
    return row === undefined ? undefined : (JSON.parse(row.body) as T)
  }

  #all<T>(sql: string, ...values: SQLInputValue[]): T[] {
    const rows = this.#statement(sql).all(...values) as { body: string }[]
    return rows.map(row => JSON.parse(row.body) as T)
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  #statement(sql: string): StatementSync {
    const prepared = statements.get(this.#database) ?? new Map<string, StatementSync>()
    statements.set(this.#database, prepared)
    const statement = prepared.get(sql) ?? this.#database.prepare(sql)
    prepared.set(sql, statement)
    return statement
  }
}
