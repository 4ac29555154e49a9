import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { UsageError } from '../agent/codec/errors.ts'

/** The `etc` that is being laid out, and the root file system whose units can be enabled too. */
export type UnitPlaces = { etc: string; rootfs: string | undefined }

const UNITS = 'systemd/system'
/** Key in [Install] → the folder beside the unit that pulls this one in. */
const PULLS: Record<string, string> = {
  WantedBy: 'wants',
  RequiredBy: 'requires',
  UpheldBy: 'upholds',
}

/** Makes the links that `systemctl enable` would make. Errors: UsageError `config`. */
export function enableUnit(places: UnitPlaces, unit: string): void {
  // Grows with what is named by Also=; two units often name each other.
  const units = new Set([unit])
  for (const one of units) {
    for (const name of enableOne(places, one)) units.add(name)
  }
}

/** Answers the units that are to be enabled with this one. */
function enableOne(places: UnitPlaces, unit: string): string[] {
  const { text, ...file } = readUnit(places, unit)
  const install = installSection(text)
  if (install.length === 0) {
    throw refused(unit, 'it has no [Install] section, and so nothing that would start it')
  }
  const also: string[] = []
  for (const { key, names } of install) {
    for (const name of names) {
      // Names of files here: with a slash they would lie elsewhere.
      if (name.includes('/')) throw refused(unit, `its ${key}= names "${name}", which is no unit`)
      if (key === 'Also') also.push(name)
      else link(places, { unit, ...file }, { key, name })
    }
  }
  return also
}

/** The units in a folder that say by what they are started; templates have no instance to start. */
export function installableUnits(folder: string | undefined): string[] {
  if (folder === undefined) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isFile() && !entry.name.includes('@.'))
    .map(entry => entry.name)
    .filter(name => installSection(readFileSync(join(folder, name), 'utf8')).length > 0)
    .sort()
}

/** Makes a unit impossible to start, whoever ships it. */
export function maskUnit(places: UnitPlaces, unit: string): void {
  const path = join(places.etc, UNITS, unit)
  mkdirSync(dirname(path), { recursive: true })
  rmSync(path, { force: true })
  symlinkSync('/dev/null', path)
}

/** `file` is the unit's own name or its template's; `shipped` its path when the rootfs ships it. */
type Found = { unit: string; file: string; shipped: string | undefined }

function link(places: UnitPlaces, found: Found, install: { key: string; name: string }): void {
  const { unit, file, shipped } = found
  const { key, name } = install
  const folder = join(places.etc, UNITS)
  if (key === 'Alias') putLink(join(folder, name), shipped ?? file)
  else putLink(join(folder, `${name}.${PULLS[key]}`, unit), shipped ?? `../${file}`)
}

function putLink(path: string, target: string): void {
  mkdirSync(dirname(path), { recursive: true })
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return
  symlinkSync(target, path)
}

function readUnit(
  { etc, rootfs }: UnitPlaces,
  unit: string,
): Omit<Found, 'unit'> & { text: string } {
  const names = [unit, unit.replace(/@.+\./, '@.')]
  for (const name of names) {
    const path = join(etc, UNITS, name)
    if (existsSync(path))
      return { text: readFileSync(path, 'utf8'), file: name, shipped: undefined }
  }
  for (const name of names) {
    const inside = `/usr/lib/systemd/system/${name}`
    const path = rootfs === undefined ? undefined : join(rootfs, inside)
    if (path !== undefined && existsSync(path)) {
      return { text: readFileSync(path, 'utf8'), file: name, shipped: inside }
    }
  }
  throw refused(unit, 'neither the units nor the rootfs have it')
}

function installSection(text: string): { key: string; names: string[] }[] {
  const lines = text.replace(/\\\n/g, ' ').split('\n')
  const found: { key: string; names: string[] }[] = []
  let inside = false
  for (const line of lines.map(one => one.trim())) {
    if (line.startsWith('[')) inside = line === '[Install]'
    const [, key, value] = /^([A-Za-z]+)\s*=\s*(.*)$/.exec(line) ?? []
    if (!inside || key === undefined || value === undefined) continue
    if (key !== 'Also' && key !== 'Alias' && PULLS[key] === undefined) continue
    found.push({ key, names: value.split(/\s+/).filter(name => name !== '') })
  }
  return found
}

function refused(unit: string, is: string): UsageError {
  return new UsageError('config', `Cannot enable the unit "${unit}": ${is}`)
}
