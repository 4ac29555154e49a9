import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { isErrno, RejectedError } from '../codec/errors.ts'
import { encodeJson, parseJsonObject } from '../codec/json.ts'
import { readStrings } from '../codec/json-fields.ts'
import { isStorePath } from '../codec/store-path.ts'
import { writeDurably } from '../files/durable.ts'

/**
 * `<prefix>/run/holdfast/switching.json`, there exactly while a switch is under way or was cut off:
 * the systems whose definitions a unit may run with by now, and the units that may have been taken
 * down. A reboot empties `/run`, and with it what the file is about.
 */
export type SwitchMarker = { systems: StorePath[]; units: string[] }

/** Systems named by a marker; more than a few mean that nothing ever finishes here. */
const SYSTEMS_MAX = 16

export function readMarker(prefix: string): SwitchMarker | undefined {
  try {
    const what = 'switching.json'
    const object = parseJsonObject(readFileSync(markerFile(prefix)), { what })
    return {
      systems: readStrings(object, 'systems', what).filter(isStorePath),
      units: readStrings(object, 'units', what),
    }
  } catch (error) {
    // Never half-written; one that another program wrote tells us nothing.
    if (isErrno(error, 'ENOENT') || error instanceof RejectedError) return undefined
    throw error
  }
}

/** Adds to what an interrupted switch left behind; the newest systems are kept. */
export function writeMarker(prefix: string, marker: SwitchMarker): void {
  const path = markerFile(prefix)
  mkdirSync(dirname(path), { recursive: true })
  const systems = [...new Set(marker.systems)].slice(-SYSTEMS_MAX)
  const units = [...new Set(marker.units)].sort()
  writeDurably(path, encodeJson({ type: 'holdfast-switching-1', systems, units }))
}

export function removeMarker(prefix: string): void {
  rmSync(markerFile(prefix), { force: true })
}

function markerFile(prefix: string): string {
  return join(prefix, 'run/holdfast/switching.json')
}
