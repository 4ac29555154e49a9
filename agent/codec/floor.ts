/**
 * The floor: the newest of everything this host has accepted, below which nothing is believed
 * again. It is kept in two slots, so that a write that is cut leaves the other one whole.
 *
 *   slot = JSON on one line, LF, SHA-256 of the bytes before it in lower-case hex, LF
 */
import { createHash } from 'node:crypto'
import { HostError, RejectedError } from './errors.ts'
import { parseJsonObject } from './json.ts'
import { fieldError, readInteger, readString, readType } from './json-fields.ts'

const FLOOR_TYPE = 'holdfast-floor-1'
/** `1e8` days: the last millisecond that a Date holds. */
const TIME_MS_MAX = 8.64e15

export type Floor = {
  epoch: number
  version: number
  /** SHA-256 (hex) of the bytes of the newest release. */
  digest: string
  rootVersion: number
  /** SHA-256 (hex) of the bytes of the newest root. */
  rootDigest: string
  /** The newest time that was proved in this epoch, in milliseconds since 1970. */
  time: number
}

export function encodeFloor(floor: Floor): Buffer {
  const { epoch, version, digest, rootVersion, rootDigest, time } = floor
  const fields = { type: FLOOR_TYPE, epoch, version, digest, rootVersion, rootDigest, time }
  const line = `${JSON.stringify(fields)}\n`
  return Buffer.from(`${line}${checksum(line)}\n`)
}

/** Undefined when the bytes are not exactly what was once written: cut, mixed or damaged. */
export function decodeFloor(bytes: Uint8Array): Floor | undefined {
  const text = Buffer.from(bytes).toString('latin1')
  const line = text.slice(0, text.indexOf('\n'))
  if (text !== `${line}\n${checksum(`${line}\n`)}\n`) return undefined
  try {
    return readFloor(Buffer.from(line, 'latin1'))
  } catch (error) {
    if (error instanceof RejectedError) return undefined
    throw error
  }
}

function readFloor(line: Buffer): Floor {
  const what = 'floor'
  const object = parseJsonObject(line, { what })
  readType(object, FLOOR_TYPE, what)
  const digest = (key: string) => {
    const text = readString(object, key, what)
    if (!/^[0-9a-f]{64}$/.test(text)) throw fieldError(what, key, 'not a SHA-256')
    return text
  }
  return {
    epoch: readInteger(object, 'epoch', what),
    version: readInteger(object, 'version', what, { min: 1 }),
    digest: digest('digest'),
    rootVersion: readInteger(object, 'rootVersion', what, { min: 1 }),
    rootDigest: digest('rootDigest'),
    time: readInteger(object, 'time', what, { max: TIME_MS_MAX }),
  }
}

/** Negative when `a` is below `b`: epochs first, then versions, then roots, then time. */
export function compareFloors(a: Floor, b: Floor): number {
  return (
    a.epoch - b.epoch || a.version - b.version || a.rootVersion - b.rootVersion || a.time - b.time
  )
}

export type ChosenFloor = {
  /** Undefined only on a host that has never accepted anything. */
  floor: Floor | undefined
  /** Which slot to write next: never the one that holds the best floor. */
  write: 0 | 1
  /** Slots that are there and damaged. */
  torn: number[]
}

/**
 * The highest floor in two slots and in further copies (such as the newest generation's). A slot is
 * undefined when its file does not exist. Errors: HostError `floor` when something was written once
 * and nothing of it is whole: starting from zero would let an old release back in.
 */
export function chooseFloor(
  slots: readonly [Uint8Array | undefined, Uint8Array | undefined],
  copies: readonly Uint8Array[] = [],
): ChosenFloor {
  const [first, second] = slots.map(slot => slot && decodeFloor(slot))
  const torn = [0, 1].filter(index => slots[index] && ![first, second][index])
  const whole = [first, second, ...copies.map(decodeFloor)].filter(found => found !== undefined)
  if (whole.length === 0 && (torn.length > 0 || copies.length > 0)) {
    throw new HostError('floor', 'Cannot read "floor": both slots and every copy are damaged')
  }
  const floor = whole.sort(compareFloors).at(-1)
  const firstIsBest = first && (second === undefined || compareFloors(first, second) >= 0)
  return { floor, write: firstIsBest ? 1 : 0, torn }
}

function checksum(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex')
}
