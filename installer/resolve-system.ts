import { readlinkSync, realpathSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { StorePath } from '../agent/codec/documents.ts'
import { isErrno, UsageError } from '../agent/codec/errors.ts'
import { isStorePath, STORE_DIR } from '../agent/codec/store-path.ts'
import type { Store } from '../agent/store/store.ts'

/**
 * The store path that a person names: itself, where it lies in the store's directory, or a symbolic
 * link to either, such as the `result` of a build. Errors: UsageError `missing`, `missing-path`.
 */
export function resolveSystem(text: string, store: Store): StorePath {
  const path = isStorePath(text) ? text : toStorePath(text, store)
  if (!store.has(path)) {
    const next = 'Build it, or correct the name; holdfast.json says which store is used'
    const is = `the store "${store.root}" does not have it`
    throw new UsageError('missing-path', `Cannot use "${text}": ${is}`, { next })
  }
  return path
}

function toStorePath(text: string, store: Store): StorePath {
  const prefix = store.root === '/' ? '' : realpathSync(store.root)
  for (const path of [target(text), linkText(text)]) {
    const inside = prefix !== '' && path?.startsWith(`${prefix}${STORE_DIR}/`)
    const logical = inside ? path?.slice(prefix.length) : path
    if (logical !== undefined && isStorePath(logical)) return logical
  }
  const is = 'it is neither a store path nor a link to one'
  throw new UsageError('missing-path', `Cannot use "${text}": ${is}`)
}

/** What the link leads to in the end. */
function target(text: string): string | undefined {
  try {
    return realpathSync(text)
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
}

/** What the link says: a link to /nix/store/… leads nowhere where the store lies elsewhere. */
function linkText(text: string): string | undefined {
  try {
    const said = readlinkSync(text)
    return isAbsolute(said) ? said : join(text, '..', said)
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'EINVAL')) throw error
    if (isErrno(error, 'EINVAL')) return undefined
    throw new UsageError('missing', `Cannot open "${text}": it does not exist`, { cause: error })
  }
}
