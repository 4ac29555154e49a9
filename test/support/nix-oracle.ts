import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { PathInfo } from '../../agent/codec/documents.ts'
import { encodeRegistration } from '../../agent/codec/registration.ts'
import { needs } from './needs.ts'

/** Real Nix on a store of its own under `directory`; the machine's own store is never touched. */
export type NixOracle = {
  /** What `openStore` takes, and Nix calls `local?root=…`. */
  root: string
  /** Runs `nix-store`, on this store, and returns its standard output. */
  store(...args: string[]): string
  /** Runs the `nix` command, on this store. */
  nix(...args: string[]): string
  /** Builds a Nix expression, with the machine's /bin/sh, and returns the path of its output. */
  build(expression: string): string
  /** Registers paths whose files are in place: `nix-store --load-db`. */
  load(infos: PathInfo[]): void
}

/**
 * Builds where the store lies at /nix/store without Nix's sandbox, which needs user namespaces: the
 * kernel refuses those in a chroot, and there tests run too. The machine's programs are bound in.
 */
const INSIDE = `
  for folder in usr bin lib lib64 etc dev proc; do
    mkdir -p "$0/$folder" && mount --rbind "/$folder" "$0/$folder" || exit 1
  done
  mkdir -p "$0/tmp" && exec chroot "$0" nix-build "$@"`

const quiet = ['--option', 'build-users-group', '', '--option', 'substituters', '']
const experimental = ['--extra-experimental-features', 'nix-command ca-derivations']

export function nixOracle(directory: string): NixOracle {
  needs('nix-store', 'nix')
  const root = join(directory, 'nix-root')
  const url = `local?root=${root}`
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: directory,
    XDG_CACHE_HOME: join(directory, 'nix-cache'),
    NIX_CONF_DIR: directory,
  }
  const run = (program: string, args: string[], input: string | Buffer = '') =>
    execFileSync(program, args, { env, input, encoding: 'utf8', stdio: 'pipe' }).trim()
  const store = ['--store', url, ...quiet]
  return {
    root,
    store: (...args) => run('nix-store', [...store, ...args]),
    nix: (...args) => run('nix', [...experimental, ...store, ...args]),
    build: expression => {
      needs('nix-build', 'unshare', 'chroot')
      const options = [...quiet, '--option', 'sandbox', 'false', '--no-out-link']
      return run('unshare', ['--mount', 'sh', '-c', INSIDE, root, ...options, '--expr', expression])
    },
    load: infos => {
      run('nix-store', [...store, '--load-db'], encodeRegistration(infos))
    },
  }
}
