/** The house style as a test: what it forbids cannot land. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'

const top = dirname(import.meta.dirname)
const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70
const PARAMETERS_MAX = 3
const COLUMNS_MAX = 100

const code = globSync('{agent,installer,controller,docs,test}/**/*.{ts,mjs}', { cwd: top }).sort()
const shipped = code.filter(file => !file.startsWith('test/') && !file.startsWith('docs/'))

/** Lower may not import higher. `files`, `cli` and `codec` are the ground that all stand on. */
const layers: [prefix: string, rank: number][] = [
  ['agent/codec/', 0],
  ['agent/files/', 0],
  ['agent/cli/', 0],
  ['agent/trust/', 1],
  ['agent/core/', 1],
  ['agent/store/', 2],
  ['agent/source/', 2],
  ['agent/system/', 2],
  ['agent/shell/', 3],
  ['agent/command-table.ts', 4],
  ['agent/main.ts', 4],
  ['installer/', 5],
  ['controller/', 6],
  ['docs/', 7],
  ['test/', 8],
]
const pure = ['agent/core/', 'agent/trust/']
const pureImports = new Set(['tweetnacl', 'node:crypto', 'node:buffer', 'node:assert/strict'])

function rankOf(file: string): number {
  const layer = layers.find(([prefix]) => file.startsWith(prefix))
  assert.ok(layer, `${file} lies outside the folders that the design names`)
  return layer[1]
}

function read(file: string): string {
  return readFileSync(join(top, file), 'utf8')
}

function importsOf(file: string): string[] {
  const found = read(file).matchAll(
    /^(?:import|export)[^'"]*?from '([^']+)'|import\('([^']+)'\)/gms,
  )
  return [...found].map(match => (match[1] ?? match[2]) as string)
}

function offences(files: string[], find: (file: string) => string[]): void {
  assert.deepEqual(
    files.flatMap(file => find(file).map(what => `${file}: ${what}`)),
    [],
  )
}

describe('tidy', () => {
  it('imports only downwards', () => {
    offences(code, file =>
      importsOf(file)
        .filter(name => name.startsWith('.'))
        .map(name => relative(top, join(top, dirname(file), name)))
        .filter(target => rankOf(target) > rankOf(file))
        .map(target => `imports ${target}, which lies above it`),
    )
  })

  it('keeps core and trust free of clocks, files, network and chance', () => {
    offences(
      code.filter(file => pure.some(prefix => file.startsWith(prefix))),
      file => [
        ...importsOf(file).filter(name => !name.startsWith('.') && !pureImports.has(name)),
        ...(read(file).match(/\b(Date\.now|new Date\(\)|Math\.random|setTimeout|process\.)/g) ??
          []),
      ],
    )
  })

  it('imports files by their full name, with no default exports and no barrels', () => {
    offences(code, file => [
      ...importsOf(file).filter(name => name.startsWith('.') && !/\.(ts|mjs|json|js)$/.test(name)),
      ...(read(file).match(/^export (default|\* from).*/gm) ?? []),
    ])
  })

  it('keeps files, lines and parameter lists short', () => {
    offences(code, file => {
      const lines = read(file).split('\n')
      const long = lines.flatMap((line, index) => {
        const whole = line.startsWith('import ') // An import of one name is never broken.
        return line.length > COLUMNS_MAX && !whole
          ? [`line ${index + 1} has ${line.length} columns`]
          : []
      })
      const size = lines.length - 1
      return size > FILE_LINES_MAX ? [...long, `has ${size} lines`] : long
    })
  })

  it('keeps functions short and their parameters few', () => {
    offences(shipped, file => [...longFunctions(file), ...wideFunctions(file)])
  })

  it('has no skipped or focused test and nothing left to be done', () => {
    const words = new RegExp(['TO', 'DO|FIX', 'ME|XX', 'X|not imple', 'mented'].join(''), 'g')
    offences(code, file => [
      ...(read(file).match(/\b(it|test|describe)\.(skip|only|todo)\(|\{ *skip: /g) ?? []),
      ...(read(file).match(words) ?? []),
    ])
  })

  it('locks every package for every platform, which the newest npm insists on', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as { packages: Lock }
    const locked = new Set(Object.keys(packages).map(path => path.replace(/^.*node_modules\//, '')))
    const wanted = Object.values(packages).flatMap(({ dependencies, optionalDependencies }) =>
      Object.keys({ ...dependencies, ...optionalDependencies }),
    )
    assert.deepEqual(
      [...new Set(wanted)].filter(name => !locked.has(name)),
      [],
    )
  })

  it('names files in kebab-case', () => {
    offences(code, file => (/^[a-z0-9/.-]+$/.test(file) ? [] : ['is not kebab-case']))
  })
})

type Lock = Record<
  string,
  { dependencies?: Record<string, string>; optionalDependencies?: Record<string, string> }
>

/** Formatted code closes a function with a brace at the indentation at which it was opened. */
function longFunctions(file: string): string[] {
  const lines = read(file).split('\n')
  return lines.flatMap((line, start) => {
    const opened =
      /^(\s*)(?:export )?(?:async )?(?:function\*? |(?:static )?(?:async )?[#\w]+\().*\{$/.exec(
        line,
      )
    if (opened === null || /^\s*(if|for|while|switch|return|it|describe)\b/.test(line)) return []
    const end = lines.indexOf(`${opened[1]}}`, start)
    const length = end - start + 1
    return length > FUNCTION_LINES_MAX ? [`line ${start + 1}: a function of ${length} lines`] : []
  })
}

function wideFunctions(file: string): string[] {
  const found = read(file).matchAll(/function\*? (\w+)(?:<[^>]*>)?\(([^()]*)\)/g)
  return [...found].flatMap(match => {
    const list = match[2] ?? ''
    // Three, then what may be left out: options, mostly.
    const parameters = topLevelParameters(list) - (/ = [^,]*,?\s*$/.test(list) ? 1 : 0)
    return parameters > PARAMETERS_MAX ? [`${match[1]} takes ${parameters} parameters`] : []
  })
}

function topLevelParameters(list: string): number {
  let depth = 0
  let count = list.trim() === '' ? 0 : 1
  const text = list.trim().replace(/,$/, '')
  for (const character of text) {
    if ('{[<'.includes(character)) depth++
    if ('}]>'.includes(character)) depth--
    if (character === ',' && depth === 0) count++
  }
  return count
}
