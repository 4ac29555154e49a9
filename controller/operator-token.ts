import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno, UsageError } from '../agent/codec/errors.ts'
import { writeDurably } from '../agent/files/durable.ts'

const TOKEN = /^hfo_[A-Za-z0-9_-]{43}$/
/** A page stays open a working day. */
const SESSION_SECONDS = 12 * 3600

/**
 * The operator token of `<directory>/operator.token` (mode 0600), made at the first start; the
 * directory too. Errors: UsageError `denied`, `corrupt-state`.
 */
export function openOperatorToken(directory: string): string {
  const path = join(directory, 'operator.token')
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const token = readFileSync(path, 'utf8').trim()
    if (TOKEN.test(token)) return token
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return makeToken(path)
    throw unusable(error, directory)
  }
  throw new UsageError('corrupt-state', `Cannot use "${path}": it holds no operator token`)
}

function makeToken(path: string): string {
  const token = `hfo_${randomBytes(32).toString('base64url')}`
  try {
    writeDurably(path, `${token}\n`, 0o600)
  } catch (error) {
    throw unusable(error, path)
  }
  return token
}

function unusable(cause: unknown, path: string): unknown {
  const denied = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].some(c => isErrno(cause, c))
  if (!denied) return cause
  const is = 'it is not a directory that can be written'
  return new UsageError('denied', `Cannot use "${path}": ${is}`, { cause })
}

/** Compares in constant time, whatever the lengths. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b))
}

/** A cookie's value that lets a browser read for some hours; it ends with the operator token. */
export function makeSession(operatorToken: string, nowMs: number): string {
  const expires = String(Math.floor(nowMs / 1000) + SESSION_SECONDS)
  return `${expires}.${sealOf(operatorToken, expires)}`
}

export function isSession(operatorToken: string, value: string, nowMs: number): boolean {
  const [expires = '', seal = ''] = value.split('.')
  return (
    /^\d{1,12}$/.test(expires) &&
    Number(expires) * 1000 > nowMs &&
    sameSecret(seal, sealOf(operatorToken, expires))
  )
}

function sealOf(operatorToken: string, expires: string): string {
  return createHmac('sha256', operatorToken).update(`session ${expires}`).digest('base64url')
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
