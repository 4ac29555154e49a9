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
  /** Builds a Nix expression with busybox as /bin/sh and returns the path of its output. */
  build(expression: string): string
  /** Registers paths whose files are in place: `nix-store --load-db`. */
  load(infos: PathInfo[]): void
}

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
      needs('busybox', 'nix-build')
      const busybox = run('sh', ['-c', 'command -v busybox'])
      const shell = [
        '--option',
        'sandbox',
        'true',
        '--option',
        'sandbox-paths',
        `/bin/sh=${busybox}`,
      ]
      return run('nix-build', [...store, ...shell, '--no-out-link', '--expr', expression])
    },
    load: infos => {
      run('nix-store', [...store, '--load-db'], encodeRegistration(infos))
    },
  }
}
