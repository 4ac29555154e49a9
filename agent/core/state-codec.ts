/**
 * The journal's content: `{ "type": "holdfast-state-1", … }`, the whole {@link State} as JSON. Only
 * this program writes and reads it, in a file with a checksum. So what decodes here was written
 * here, and a wrong field is another version's, not damage.
 */
import { HostError } from '../codec/errors.ts'
import { parseJsonObject } from '../codec/json.ts'
import { initialState, type State } from './state.ts'

const TYPE = 'holdfast-state-1'
/** 32 rejections, two candidates and a baseline of some thousand units are far below. */
const BYTES_MAX = 4 * 1024 * 1024

export function encodeState(state: State): Buffer {
  return Buffer.from(`${JSON.stringify({ type: TYPE, ...state })}\n`)
}

/** Errors: RejectedError `json`; HostError `corrupt-state` for a state of another version. */
export function decodeState(bytes: Uint8Array): State {
  const { type, ...fields } = parseJsonObject(bytes, { what: 'state', bytesMax: BYTES_MAX })
  const missing = Object.entries(shape).find(([key, is]) => !is(fields[key]))
  if (type !== TYPE || missing !== undefined) {
    const what = type === TYPE ? `"${missing![0]}" is wrong` : `its type is ${JSON.stringify(type)}`
    throw new HostError('corrupt-state', `Cannot read the state: ${what}`)
  }
  return { ...initialState(), ...(fields as unknown as State) }
}

const PHASES = [
  ...['Idle', 'Verified', 'Staged', 'Locked', 'Armed'],
  ...['Testing', 'Committed', 'Reverting', 'Reverted', 'Held'],
]

const shape: Record<string, (value: unknown) => boolean> = {
  step: value => isRecord(value) && PHASES.includes(String(value.phase)),
  bootId: value => typeof value === 'string',
  sequence: value => Number.isSafeInteger(value),
  rounds: value => Number.isSafeInteger(value),
  rejected: value => Array.isArray(value),
  limits: isRecord,
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
