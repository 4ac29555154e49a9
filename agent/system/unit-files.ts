/**
 * Unit files as systemd.syntax(7) has them, as far as two of them must be compared:
 *
 *   file     = { section | property | comment | empty }
 *   section  = "[" name "]"
 *   property = key "=" value        a value may go on after a backslash at the end of a line
 *   comment  = ("#" | ";") text     also between the lines of one value
 *
 * `Key=` with nothing after it forgets the values of that key so far. Later texts are drop-ins.
 */
export type UnitSections = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

/** Parses a unit file and, after it, its drop-ins. Lines that are neither are passed over. */
export function parseUnit(texts: readonly string[]): UnitSections {
  const sections = new Map<string, Map<string, string[]>>()
  for (const text of texts) {
    let section: Map<string, string[]> | undefined
    for (const line of logicalLines(text)) {
      const header = /^\[([^\]]+)\]$/.exec(line)?.[1]
      if (header !== undefined) section = sectionOf(sections, header)
      else if (section !== undefined) addProperty(section, line)
    }
  }
  for (const [name, section] of sections) if (section.size === 0) sections.delete(name)
  return sections
}

/** The values of a key, in order; empty when it is not set. */
export function unitValues(unit: UnitSections, section: string, key: string): readonly string[] {
  return unit.get(section)?.get(key) ?? []
}

/** The words of all values of a key, such as the units after `Wants=`. */
export function unitWords(unit: UnitSections, section: string, key: string): string[] {
  return unitValues(unit, section, key).flatMap(value => value.split(/\s+/).filter(Boolean))
}

/** A switch as systemd reads it; the last value counts. */
export function unitBool(
  unit: UnitSections,
  [section, key]: readonly [section: string, key: string],
  fallback: boolean,
): boolean {
  const value = unitValues(unit, section, key).at(-1)
  return value === undefined ? fallback : /^(1|yes|y|true|t|on)$/i.test(value)
}

/**
 * A unit's name without and with what it is an instance of: `getty@tty1.service`,
 * `getty@.service`.
 */
export function templateOf(name: string): string | undefined {
  const match = /^([^@]+@)[^@]+(\.[a-z]+)$/.exec(name)
  return match === null ? undefined : `${match[1]}${match[2]}`
}

/** `service` of `web.service`. */
export function unitType(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

function logicalLines(text: string): string[] {
  const lines: string[] = []
  let open: string | undefined
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (/^[#;]/.test(line)) continue
    if (open === undefined && line === '') continue
    const whole = open === undefined ? line : `${open} ${line}`.trim()
    if (line.endsWith('\\')) {
      open = whole.slice(0, -1).trimEnd()
    } else {
      lines.push(whole)
      open = undefined
    }
  }
  return open === undefined ? lines : [...lines, open]
}

function sectionOf(sections: Map<string, Map<string, string[]>>, name: string) {
  const section = sections.get(name) ?? new Map<string, string[]>()
  sections.set(name, section)
  return section
}

function addProperty(section: Map<string, string[]>, line: string): void {
  const equals = line.indexOf('=')
  if (equals < 1) return
  const key = line.slice(0, equals).trimEnd()
  const value = line.slice(equals + 1).trim()
  if (value === '') section.delete(key)
  else section.set(key, [...(section.get(key) ?? []), value])
}
