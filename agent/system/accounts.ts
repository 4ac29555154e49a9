import { chownSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeDurably } from '../files/durable.ts'

/** Files of lines `name:…`, and the field that holds a number nobody else may have. */
const FILES: [name: string, idField: number | undefined][] = [
  ['group', 2],
  ['gshadow', undefined],
  ['passwd', 2],
  ['shadow', undefined],
]

/**
 * Adds the users and groups of a system that the host does not know by name: services of a new
 * system run as them. Lines that are there stay as they are; one whose number has another name here
 * is not added. Answers what was added, as `passwd: web`.
 */
export function addAccounts(store: string, etc: string): string[] {
  const left = new Set<string>()
  return FILES.flatMap(([file, idField]) => {
    const [from, to] = [join(store, file), join(etc, file)]
    if (!existsSync(from) || !existsSync(to)) return []
    const text = readFileSync(to, 'utf8')
    const known = linesOf(text)
    const names = new Set(known.map(nameOf))
    const ids = new Set(known.map(line => line.split(':')[idField ?? -1]))
    const missing = linesOf(readFileSync(from, 'utf8')).filter(line => {
      if (names.has(nameOf(line)) || left.has(`${file} ${nameOf(line)}`)) return false
      if (idField === undefined || !ids.has(line.split(':')[idField])) return true
      // Its password line would be one of nobody.
      left.add(`${file === 'group' ? 'gshadow' : 'shadow'} ${nameOf(line)}`)
      return false
    })
    if (missing.length > 0) append(to, text, missing)
    return missing.map(line => `${file}: ${nameOf(line)}`)
  })
}

function append(file: string, text: string, lines: string[]): void {
  const whole = text === '' || text.endsWith('\n') ? text : `${text}\n`
  const { mode, uid, gid } = statSync(file)
  writeDurably(file, `${whole}${lines.join('\n')}\n`, mode & 0o7777)
  if (process.getuid?.() === 0) chownSync(file, uid, gid)
}

function linesOf(text: string): string[] {
  return text.split('\n').filter(line => /^[^:#\s]+:.*:/.test(line))
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':'))
}
