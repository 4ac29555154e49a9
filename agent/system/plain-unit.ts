import { rootedText } from './rooted-text.ts'
import { type UnitSections, unitBool, unitValues } from './unit-files.ts'

/** What the plain manager understands of a service; everything else is passed over. */
export type PlainUnit = {
  type: 'simple' | 'oneshot'
  start: ExecLine[]
  reload: ExecLine[]
  environment: Record<string, string>
  workingDirectory?: string
  restart: 'no' | 'on-failure' | 'always'
  /** Whether a oneshot stays active once it has done its work. */
  remain: boolean
  restartMs: number
  stopMs: number
}

/** One `Exec…=` line; `mayFail` is systemd's `-` before the program. */
export type ExecLine = { words: string[]; mayFail: boolean }

/** systemd's own default is 90 s; without a boot to shut down, less will do. */
const STOP_MS = 10_000
const RESTART_MS = 100

/** Reads a service for a root: `/nix/store/` in it means `<prefix>/nix/store/`. */
export function plainUnit(prefix: string, name: string, unit: UnitSections): PlainUnit | string {
  const values = (key: string) => unitValues(unit, 'Service', key)
  const type = values('Type').at(-1) ?? 'simple'
  if (!['simple', 'exec', 'oneshot', 'idle'].includes(type)) {
    return `Type=${type} needs systemd; here services are simple or oneshot`
  }
  const start = values('ExecStart').map(line => execLine(prefix, name, line))
  if (start.length === 0) return 'it has no ExecStart='
  const restart = values('Restart').at(-1) ?? 'no'
  const directory = values('WorkingDirectory').at(-1)
  return {
    type: type === 'oneshot' ? 'oneshot' : 'simple',
    start,
    reload: values('ExecReload').map(line => execLine(prefix, name, line)),
    environment: environmentOf(prefix, name, values('Environment')),
    ...(directory === undefined ? {} : { workingDirectory: rootedText(prefix, directory) }),
    restart: restart === 'always' || restart === 'no' ? restart : 'on-failure',
    remain: unitBool(unit, ['Service', 'RemainAfterExit'], false),
    restartMs: milliseconds(values('RestartSec').at(-1)) ?? RESTART_MS,
    stopMs: milliseconds(values('TimeoutStopSec').at(-1)) ?? STOP_MS,
  }
}

/** Replaces `$NAME` and `${NAME}`, as systemd does in the words of an `Exec…=` line. */
export function expand(words: readonly string[], environment: Record<string, string>): string[] {
  return words.flatMap(word => {
    const whole = /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(word)
    if (whole !== null) return (environment[whole[1]!] ?? '').split(/\s+/).filter(Boolean)
    const one = word.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, key) => environment[key] ?? '')
    return [one.replaceAll('$$', '$')]
  })
}

/** Splits as systemd.syntax(7) does: quotes around whole words, C escapes outside single quotes. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  const pattern = /"((?:[^"\\]|\\.)*)"|'([^']*)'|((?:[^\s"'\\]|\\.)(?:[^\s\\]|\\.)*)/g
  for (const match of line.matchAll(pattern)) {
    words.push(match[2] ?? unescapeWord(match[1] ?? match[3] ?? ''))
  }
  return words
}

function execLine(prefix: string, name: string, line: string): ExecLine {
  const marks = /^[-@:+!]*/.exec(line)?.[0] ?? ''
  const words = splitWords(specifiers(line.slice(marks.length), name))
  // "@" gives the program another argv[0]; the real program is what matters here.
  if (marks.includes('@')) words.splice(1, 1)
  return { words: words.map(word => rootedText(prefix, word)), mayFail: marks.includes('-') }
}

function environmentOf(prefix: string, name: string, lines: readonly string[]) {
  const environment: Record<string, string> = {}
  for (const word of lines.flatMap(line => splitWords(specifiers(line, name)))) {
    const equals = word.indexOf('=')
    if (equals > 0) environment[word.slice(0, equals)] = rootedText(prefix, word.slice(equals + 1))
  }
  return environment
}

function specifiers(text: string, name: string): string {
  const instance = /@([^@]*)\.[a-z]+$/.exec(name)?.[1] ?? ''
  const known: Record<string, string> = {
    '%': '%',
    n: name,
    N: name.replace(/\.[a-z]+$/, ''),
    i: instance,
    I: instance.replaceAll('-', '/'),
    t: '/run',
  }
  return text.replace(/%([%nNiIt])/g, (_, letter: string) => known[letter] ?? '')
}

const escapes: Record<string, string> = { n: '\n', t: '\t', s: ' ', r: '\r' }

function unescapeWord(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|.)/g, (_, code: string) =>
    code.length === 3
      ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
      : (escapes[code] ?? code),
  )
}

const units: Record<string, number> = {
  '': 1000,
  s: 1000,
  sec: 1000,
  ms: 1,
  min: 60_000,
  m: 60_000,
}

function milliseconds(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|sec|min|m)?$/.exec(text ?? '')
  return match === null ? undefined : Number(match[1]) * units[match[2] ?? '']!
}
