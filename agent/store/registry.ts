import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { PathInfo, StorePath } from '../codec/documents.ts'
import { HostError, isErrno, messageOf } from '../codec/errors.ts'
import { formatNixHash, parseNixHash } from '../codec/nix-hash.ts'
import { writeDurably } from '../files/durable.ts'
import { SCHEMA_VERSION, schemaSql } from './schema.ts'

/** How long another writer, such as Nix itself, may hold the registry before we give up. */
const BUSY_MS_MAX = 60_000

const SQLITE_READONLY = 8
const SQLITE_IOERR = 10
const SQLITE_FULL = 13
const SQLITE_CANTOPEN = 14
/** The file that holds the index of the write-ahead log could not grow. */
const SQLITE_IOERR_SHMSIZE = 4874

export type RegistryOptions = { readOnly: boolean }

type Row = { id: number; path: string; hash: string; narSize: number | null; ca: string | null }

/** What is valid in a store, and what refers to what: Nix's `db.sqlite` with its `schema`. */
export class Registry {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #directory: string

  /** `directory` is the store's `nix/var/nix/db`; made and filled here unless `readOnly`. */
  constructor(directory: string, options: RegistryOptions) {
    this.#directory = directory
    this.#database = openDatabase(join(directory, 'db.sqlite'), options.readOnly)
    try {
      this.#prepare(options.readOnly)
    } catch (error) {
      this.#database.close()
      throw this.#explain(error)
    }
  }

  has(path: StorePath): boolean {
    return this.#statement('select 1 from ValidPaths where path = ?').get(path) !== undefined
  }

  query(path: StorePath): PathInfo | undefined {
    const row = this.#statement(
      'select id, path, hash, narSize, ca from ValidPaths where path = ?',
    ).get(path) as Row | undefined
    return row === undefined ? undefined : this.#infoOf(row)
  }

  /** Every valid path, sorted. */
  paths(): StorePath[] {
    const rows = this.#statement('select path from ValidPaths order by path').all()
    return rows.map(row => row.path as StorePath)
  }

  /**
   * Adds or replaces entries, references included, in one transaction. A reference must be among
   * `infos` or valid already: the registry never holds a path whose closure is not whole.
   */
  register(infos: PathInfo[]): void {
    this.#transaction(() => {
      const ids = infos.map(info => this.#insert(info))
      infos.forEach((info, index) => {
        this.#replaceReferences(info, ids[index]!)
      })
    })
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
  }

  #prepare(readOnly: boolean): void {
    this.#database.exec('pragma foreign_keys = 1')
    const schemaFile = join(this.#directory, 'schema')
    const version = readIfThere(schemaFile)
    if (version !== undefined && Number(version) !== SCHEMA_VERSION) {
      throw new HostError(
        'store-schema',
        `Cannot open "${this.#directory}": its schema is ${version.trim()}, not ${SCHEMA_VERSION}`,
      )
    }
    if (readOnly) return
    // FULL, unlike Nix: what `register` reports as done is still there after a power cut.
    this.#database.exec('pragma journal_mode = wal; pragma synchronous = full')
    if (version !== undefined) return
    this.#transaction(() => this.#database.exec(schemaSql))
    // Written last, as it tells Nix that the tables are there.
    writeDurably(schemaFile, String(SCHEMA_VERSION), 0o644)
  }

  #explain(error: unknown): unknown {
    if ((error as { code?: string }).code !== 'ERR_SQLITE_ERROR') return error
    const code = faultOf((error as { errcode?: number }).errcode ?? 0)
    const message = `Cannot open "${this.#directory}": ${messageOf(error)}`
    return new HostError(code, message, { cause: error })
  }

  #infoOf(row: Row): PathInfo {
    const references = this.#statement(
      `select path from Refs join ValidPaths on ValidPaths.id = Refs.reference
       where referrer = ? order by path`,
    ).all(row.id)
    return {
      path: row.path,
      narHash: formatNixHash(parseNixHash(row.hash)),
      narSize: row.narSize ?? 0,
      references: references.map(reference => reference.path as StorePath),
      ...(row.ca === null || row.ca === '' ? {} : { ca: row.ca }),
    }
  }

  /** An entry that is there keeps its deriver and signatures, which we do not know. */
  #insert(info: PathInfo): number {
    const row = this.#statement(
      `insert into ValidPaths (path, hash, registrationTime, narSize, ca) values (?, ?, ?, ?, ?)
       on conflict (path) do update set hash = excluded.hash, narSize = excluded.narSize,
         ca = coalesce(excluded.ca, ca)
       returning id`,
    ).get(
      info.path,
      `sha256:${parseNixHash(info.narHash).toString('hex')}`,
      Math.floor(Date.now() / 1000),
      info.narSize,
      info.ca ?? null,
    )
    return row?.id as number
  }

  #replaceReferences(info: PathInfo, id: number): void {
    this.#statement('delete from Refs where referrer = ?').run(id)
    const insert = this.#statement(
      'insert into Refs (referrer, reference) select ?, id from ValidPaths where path = ?',
    )
    for (const reference of info.references) {
      if (insert.run(id, reference).changes !== 1) {
        throw new HostError(
          'missing-path',
          `Cannot register "${info.path}": it refers to "${reference}", which is not valid`,
        )
      }
    }
  }

  #transaction(action: () => void): void {
    this.#database.exec('begin immediate')
    try {
      action()
      this.#database.exec('commit')
    } catch (error) {
      // SQLite itself has rolled back after some failures, such as a full disk.
      if (this.#database.isTransaction) this.#database.exec('rollback')
      throw error
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const made = this.#database.prepare(sql)
    this.#statements.set(sql, made)
    return made
  }
}

/** `node:sqlite` costs memory, so it is loaded by the first store that is opened. */
function openDatabase(file: string, readOnly: boolean): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  if (!readOnly) return new DatabaseSync(file, { timeout: BUSY_MS_MAX })
  // Without a write-ahead log nobody is writing, and a read-only medium has no place for one.
  if (existsSync(`${file}-wal`)) return new DatabaseSync(file, { readOnly, timeout: BUSY_MS_MAX })
  const url = pathToFileURL(file)
  url.search = '?immutable=1'
  return new DatabaseSync(url, { readOnly })
}

/** By SQLite's result codes. Opening a registry already writes, so a full disk shows there too. */
function faultOf(errcode: number): 'no-space' | 'store-write' | 'store-schema' {
  if (errcode === SQLITE_FULL || errcode === SQLITE_IOERR_SHMSIZE) return 'no-space'
  return [SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN].includes(errcode & 0xff)
    ? 'store-write'
    : 'store-schema'
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
