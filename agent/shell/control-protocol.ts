/**
 * What is spoken on the control socket: one request, one answer, each a JSON object on one line.
 *
 *   → {"command":"status"}
 *   → {"command":"reconcile","retry":false}
 *   → {"command":"rollback"}
 *   ← {"status":{…}}            as holdfast-agent status -o json prints it
 *   ← {"error":{"code":"…","message":"…","next":"…"}}
 */
import { RejectedError } from '../codec/errors.ts'
import { parseJsonObject } from '../codec/json.ts'
import { optional, readBoolean, readString, refuseUnknown } from '../codec/json-fields.ts'
import type { Status } from '../codec/report.ts'

export type ControlRequest =
  | { command: 'status' }
  | { command: 'reconcile'; retry: boolean }
  | { command: 'rollback' }

export type ControlAnswer =
  | { status: Status }
  | { error: { code: string; message: string; next: string } }

/** No request is longer than its example above by much. */
export const REQUEST_BYTES_MAX = 4096
/** 32 rejections and 8 sources with a message each are far below. */
export const ANSWER_BYTES_MAX = 1024 * 1024

/** Errors: RejectedError `json`, `schema`. */
export function decodeRequest(line: Uint8Array): ControlRequest {
  const what = 'request'
  const object = parseJsonObject(line, { what, bytesMax: REQUEST_BYTES_MAX })
  const command = readString(object, 'command', what)
  refuseUnknown(object, command === 'reconcile' ? ['command', 'retry'] : ['command'], what)
  if (command === 'reconcile') {
    return { command, retry: optional(readBoolean)(object, 'retry', what) ?? false }
  }
  if (command === 'status' || command === 'rollback') return { command }
  throw new RejectedError('schema', `Cannot do "${command.slice(0, 60)}": it is no command`)
}
