import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { isStorePath } from '../codec/store-path.ts'
import { syncDirectory } from '../files/durable.ts'
import { ensureLink, linkTarget } from './links.ts'

/** One committed system of a host; `generation` counts from 1. */
export type Generation = { generation: number; system: StorePath }

/** Where profiles lie; names and links are Nix's own, so that Nix can take over. */
export const PROFILES = 'nix/var/nix/profiles'

/** The committed system: what boots. Undefined on a root that was never made. */
export function readProfile(prefix: string): Generation | undefined {
  const profiles = join(prefix, PROFILES)
  const generation = generationOf(linkTarget(join(profiles, 'system')) ?? '')
  return generation === undefined ? undefined : generationAt(profiles, generation)
}

/**
 * Makes `system` the committed one and answers its generation. Safe to repeat: the system that is
 * committed already keeps its number. A power cut leaves the old or the new generation, whole.
 */
export function commitProfile(prefix: string, system: StorePath): number {
  const current = readProfile(prefix)
  if (current?.system === system) return current.generation
  const profiles = join(prefix, PROFILES)
  if (mkdirSync(profiles, { recursive: true }) !== undefined) syncDirectory(join(profiles, '..'))
  const newest = generations(prefix).at(-1)
  // The newest may be this system's own, made just before the power went.
  const generation =
    newest !== undefined &&
    newest.system === system &&
    newest.generation > (current?.generation ?? 0)
      ? newest.generation
      : (newest?.generation ?? 0) + 1
  ensureLink(join(profiles, linkName(generation)), system)
  ensureLink(join(profiles, 'system'), linkName(generation))
  return generation
}

/** Every generation that is kept, oldest first. */
export function generations(prefix: string): Generation[] {
  const profiles = join(prefix, PROFILES)
  return namesIn(profiles)
    .map(name => generationAt(profiles, generationOf(name) ?? 0))
    .filter(generation => generation !== undefined)
    .sort((a, b) => a.generation - b.generation)
}

function linkName(generation: number): string {
  return `system-${generation}-link`
}

function generationOf(name: string): number | undefined {
  const digits = /^system-([1-9][0-9]{0,8})-link$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

function generationAt(profiles: string, generation: number): Generation | undefined {
  const system = linkTarget(join(profiles, linkName(generation)))
  return system !== undefined && isStorePath(system) ? { generation, system } : undefined
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
