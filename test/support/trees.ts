import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

/** Path → content; `-> TARGET` makes a link, and a path that ends with a slash a directory. */
export type Tree = Record<string, string>

export function writeTree(directory: string, tree: Tree): string {
  mkdirSync(directory, { recursive: true })
  for (const [name, content] of Object.entries(tree)) {
    const path = join(directory, name)
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true })
    if (name.endsWith('/')) continue
    if (content.startsWith('-> ')) symlinkSync(content.slice(3), path)
    else writeFileSync(path, content)
    if (/(^|\/)bin\//.test(name) && !content.startsWith('-> ')) chmodSync(path, 0o755)
  }
  return directory
}

/** The same notation back, sorted by path; empty directories included. */
export function readTree(directory: string, skip: RegExp = /^$/): Tree {
  const tree: Tree = {}
  const walk = (folder: string) => {
    const names = readdirSync(join(directory, folder)).sort()
    if (names.length === 0 && folder !== '') tree[folder] = ''
    for (const name of names.map(one => folder + one)) {
      if (skip.test(name)) continue
      const stat = lstatSync(join(directory, name))
      if (stat.isDirectory()) walk(`${name}/`)
      else if (stat.isSymbolicLink()) tree[name] = `-> ${readlinkSync(join(directory, name))}`
      else tree[name] = readFileSync(join(directory, name), 'utf8')
    }
  }
  walk('')
  return tree
}

/** Without empty directories: what a cut may leave, as nothing tells them from a person's own. */
export function withoutEmpty(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([name]) => !name.endsWith('/')))
}
