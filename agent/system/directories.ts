import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { linkDurably } from '../files/durable.ts'
import { linkTarget, statOf } from './links.ts'
import { PROFILES } from './profile.ts'

/** Every directory that a root needs before anything starts in it, with its mode. */
const DIRECTORIES: [path: string, mode: number][] = [
  ...['dev', 'etc', 'home', 'mnt', 'opt', 'run', 'srv', 'var', 'var/lib', 'var/log'].map(
    (path): [string, number] => [path, 0o755],
  ),
  ['proc', 0o555],
  ['sys', 0o555],
  ['root', 0o700],
  ['tmp', 0o1777],
  ['var/tmp', 0o1777],
  ['var/lib/holdfast', 0o700],
  ['nix/var/nix/gcroots', 0o755],
  [PROFILES, 0o755],
]

/** What keeps a store path from being collected, in the places where Nix looks too. */
const ROOTS: [path: string, target: string][] = [
  ['nix/var/nix/gcroots/profiles', '/nix/var/nix/profiles'],
  ['nix/var/nix/gcroots/booted-system', '/run/booted-system'],
  ['nix/var/nix/gcroots/current-system', '/run/current-system'],
]

/** Makes the missing ones; those that are there keep their modes and owners. */
export function makeDirectories(prefix: string): void {
  for (const [path, mode] of DIRECTORIES) {
    const place = join(prefix, path)
    if (statOf(place) !== undefined) continue
    mkdirSync(place, { recursive: true, mode })
    chmodSync(place, mode) // The umask does not count, and takes no part in the sticky bit.
  }
  for (const [path, target] of ROOTS) {
    const link = join(prefix, path)
    if (linkTarget(link) === undefined && statOf(link) === undefined) linkDurably(link, target)
  }
  if (linkTarget(join(prefix, 'var/run')) === undefined) linkRun(prefix)
}

/** Programs of old look for /var/run. */
function linkRun(prefix: string): void {
  const link = join(prefix, 'var/run')
  if (statOf(link) === undefined) linkDurably(link, '../run')
}
