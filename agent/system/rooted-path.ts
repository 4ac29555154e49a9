import { readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Linux gives up after 40 links too (path_resolution(7)). */
const LINKS_MAX = 40

/**
 * Where `path` really lies when `root` is the root directory: absolute links inside are taken to
 * start at `root`, and `..` never leaves it. The last part need not exist.
 */
export function resolveRooted(root: string, path: string): string {
  const parts = path.split('/').filter(Boolean)
  const done: string[] = []
  let links = 0
  while (parts.length > 0) {
    const part = parts.shift()!
    if (part === '.') continue
    if (part === '..') {
      done.pop()
      continue
    }
    const target = linkTarget(join(root, ...done, part))
    if (target === undefined) {
      done.push(part)
      continue
    }
    links += 1
    if (links > LINKS_MAX) {
      throw Object.assign(new Error(`too many links in ${path}`), { code: 'ELOOP' })
    }
    if (target.startsWith('/')) done.length = 0
    parts.unshift(...target.split('/').filter(Boolean))
  }
  return join(root, ...done)
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined // Not a link, or not there.
  }
}
