import type { Seed, StorePath } from '../../agent/codec/documents.ts'
import type { Store } from '../../agent/store/store.ts'

/** What a new host is made of: a system in a local store, and the seed it finds at first boot. */
export type HostSpec = {
  name: string
  system: StorePath
  store: Store
  seed: Seed
}

/** What a provider knows of a host, whether it runs or not. */
export type ProvidedHost = {
  name: string
  provider: string
  /** IPv4 address, without a prefix length. */
  address: string
  running: boolean
  /** The directory that is the host's disk, where there is one. */
  root: string
}

/**
 * Creates, reads, and deletes real hosts on one platform. Every call may be repeated: creating what
 * is there already and destroying what is gone are errors with a clear sentence, never half-done.
 */
export interface Provider {
  readonly name: string
  /** Makes the host's disk from nothing but the system's closure. Does not start it. */
  create(spec: HostSpec): Promise<ProvidedHost>
  /** Powers it on; returns when its first process runs. */
  start(name: string): Promise<void>
  /** Cuts the power: every process is killed at once, nothing is flushed. */
  cutPower(name: string): Promise<void>
  /** Asks the host to shut down, and cuts the power after the deadline. */
  stop(name: string, deadlineSeconds: number): Promise<void>
  /** Runs a program inside the running host and returns its stdout, whatever its exit code. */
  execute(name: string, words: string[]): Promise<string>
  read(name: string): Promise<ProvidedHost | undefined>
  list(): Promise<ProvidedHost[]>
  /** Powers it off and removes all that `create` made. */
  destroy(name: string): Promise<void>
}
