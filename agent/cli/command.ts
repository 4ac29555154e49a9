import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { HoldfastError, isErrno, messageOf, UsageError } from '../codec/errors.ts'

/**
 * 0 yes · 1 no (failed, rolled back) · 2 could not find out · 3 held · 124 timed out. Programs of
 * the layout also end as NixOS's do: 4 switched, but units failed; 143 stopped.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 124 | 143

/** What a command gets: the parsed words, where to write, and when to stop. */
export type Invocation = {
  values: Record<string, string | boolean | (string | boolean)[] | undefined>
  positionals: string[]
  /** True with `-o json`: then stdout holds one JSON value and nothing else. */
  json: boolean
  /** Data: to stdout, with a line feed. With `-o json` objects are printed as JSON. */
  print: (data: unknown) => void
  /** Progress: to stderr, with a line feed. */
  say: (line: string) => void
  /** Aborted by SIGINT and SIGTERM. A command that never reads it is ended by them. */
  readonly signal: AbortSignal
}

/** One command of `holdfast` or `holdfast-agent`; `words` are what a user types for it. */
export type Command = {
  /** Such as `['keys', 'new']`. */
  words: string[]
  /** Such as `root|release NAME`. */
  args: string
  summary: string
  options?: ParseArgsOptionsConfig
  /** A paragraph for --help on each option: name → text. */
  optionHelp?: Record<string, string>
  run: (invocation: Invocation) => Promise<ExitCode>
}

const common = {
  output: { type: 'string', short: 'o' },
  help: { type: 'boolean', short: 'h' },
} as const

/**
 * Runs the command that `argv` names and returns its exit code. Expected failures become one
 * sentence on stderr with code and next step (with `-o json`: an object with `error` on stdout).
 */
export async function runCommand(
  program: string,
  commands: Command[],
  argv: string[],
): Promise<ExitCode> {
  const json = wantsJson(argv)
  const interrupt = new AbortController()
  const stop = () => interrupt.abort()
  // Only for a command that watches it: others are to end at once, and what they write is whole.
  const listen = () => {
    process.once('SIGINT', stop).once('SIGTERM', stop)
    return interrupt.signal
  }
  process.stdout.once('error', endQuietly)
  try {
    return await dispatch({ program, commands, argv }, json, listen)
  } catch (error) {
    return fail(program, error, json)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

/** Whoever read our output has seen enough, as `head` has. */
function endQuietly(error: Error): void {
  if (!isErrno(error, 'EPIPE')) throw error
  process.exit(0)
}

async function dispatch(
  { program, commands, argv }: { program: string; commands: Command[]; argv: string[] },
  json: boolean,
  listen: () => AbortSignal,
): Promise<ExitCode> {
  const command = findCommand(commands, argv)
  if (command === undefined) {
    if (argv.length === 0 || argv[0] === '--help' || argv[0] === '-h' || argv[0] === 'help') {
      process.stdout.write(overview(program, commands))
      return 0
    }
    throw new UsageError('usage', `Cannot run "${argv.join(' ')}": there is no such command`, {
      next: `Run ${program} --help`,
    })
  }
  const { values, positionals } = parseWords(program, command, argv.slice(command.words.length))
  if (values.help === true) {
    process.stdout.write(commandHelp(program, command))
    return 0
  }
  if (values.output !== undefined && values.output !== 'json' && values.output !== 'text') {
    throw new UsageError('usage', `Cannot write "-o ${values.output}": it is json or text`)
  }
  const print = (data: unknown) => {
    process.stdout.write(`${json || typeof data !== 'string' ? JSON.stringify(data) : data}\n`)
  }
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  let signal: AbortSignal | undefined
  return await command.run({
    ...{ values, positionals, json, print, say },
    get signal() {
      signal ??= listen()
      return signal
    },
  })
}

function findCommand(commands: Command[], argv: string[]): Command | undefined {
  return commands
    .filter(command => command.words.every((word, index) => argv[index] === word))
    .sort((a, b) => b.words.length - a.words.length)[0]
}

function parseWords(program: string, command: Command, words: string[]) {
  try {
    return parseArgs({
      args: words,
      options: { ...command.options, ...common },
      allowPositionals: true,
      strict: true,
    }) as { values: Invocation['values']; positionals: string[] }
  } catch (error) {
    throw new UsageError(
      'usage',
      `Cannot run "${command.words.join(' ')}": ${complaintOf(error)}`,
      {
        cause: error,
        next: `Run ${program} ${command.words.join(' ')} --help`,
      },
    )
  }
}

/** Node's first sentence; its second is about words that begin with a hyphen, which none do. */
function complaintOf(error: unknown): string {
  const [first = ''] = messageOf(error).split('. ')
  return `${first.slice(0, 1).toLowerCase()}${first.slice(1)}`
}

function wantsJson(argv: string[]): boolean {
  return argv.some((word, index) => {
    const joined = word === '-ojson' || word === '--output=json'
    return joined || ((word === '-o' || word === '--output') && argv[index + 1] === 'json')
  })
}

function fail(program: string, error: unknown, json: boolean): ExitCode {
  const known = asKnown(error)
  if (json) {
    const { code, message, next } = known
    process.stdout.write(`${JSON.stringify({ error: { code, message, next } })}\n`)
  }
  process.stderr.write(`${program}: ${known.message} [${known.code}]\n  ${known.next}\n`)
  if (known.code === 'internal' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return known.kind === 'rejected' || known.kind === 'host' ? 1 : 2
}

/** What the system itself refuses has a code too; anything else is a fault of ours. */
function asKnown(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error
  const message = messageOf(error)
  const { path = '', dest } = error as NodeJS.ErrnoException & { dest?: string }
  if (isErrno(error, 'ENOSPC')) {
    const full = dest ?? path // The system does not name what was open already.
    const what = full === '' ? 'to the disk' : `"${full}"`
    return new UsageError('no-space', `Cannot write ${what}: no space is left`)
  }
  if (['EACCES', 'EPERM', 'EROFS'].some(code => isErrno(error, code)))
    return new UsageError('denied', `Cannot use "${path}": ${message}`)
  if (isErrno(error, 'ENOENT'))
    return new UsageError('missing', `Cannot open "${path}": it does not exist`)
  return new UsageError('internal', `Cannot go on: ${message}`, { cause: error })
}

function overview(program: string, commands: Command[]): string {
  const lines = commands.map(command => {
    const usage = `${program} ${command.words.join(' ')} ${command.args}`.trimEnd()
    return `  ${usage.padEnd(52)} ${command.summary}`
  })
  return `Usage:\n${lines.join('\n')}\n\nEvery command takes -o json and --help.\n`
}

/** What `--help` prints of one command. */
export function commandHelp(program: string, command: Command): string {
  const usage = `Usage: ${program} ${command.words.join(' ')} ${command.args}`.trimEnd()
  const options = Object.entries(command.options ?? {}).map(([name, option]) => {
    const value = option.type === 'string' ? '=VALUE' : ''
    return `  ${`--${name}${value}`.padEnd(28)} ${command.optionHelp?.[name] ?? ''}`.trimEnd()
  })
  const tail = '  -o, --output=json|text       How data is printed'
  return `${usage}\n\n${command.summary}\n\nOptions:\n${[...options, tail].join('\n')}\n`
}
