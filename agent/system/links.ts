import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import { isErrno } from '../codec/errors.ts'
import { linkDurably } from '../files/durable.ts'

/** The target of the symbolic link, or undefined where there is none, or something else. */
export function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    // EINVAL: it is there and no link. ENOTDIR: a file stands where a directory would be.
    if (['ENOENT', 'EINVAL', 'ENOTDIR'].some(code => isErrno(error, code))) return undefined
    throw error
  }
}

/** Makes the link say `target`; answers whether it had to be changed. */
export function ensureLink(path: string, target: string): boolean {
  if (linkTarget(path) === target) return false
  linkDurably(path, target)
  return true
}

/** What stands at the path itself, links not followed; undefined for nothing. */
export function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
}
