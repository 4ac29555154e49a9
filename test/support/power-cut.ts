import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** Every call that changes a file system, of those that the agent uses. */
const CHANGING = [
  ...['chmodSync', 'chownSync', 'copyFileSync', 'fsyncSync', 'linkSync', 'mkdirSync'],
  ...['mkdtempSync', 'openSync', 'renameSync', 'rmSync', 'rmdirSync', 'symlinkSync'],
  ...['unlinkSync', 'utimesSync', 'writeFileSync', 'writeSync'],
] as const

export class PowerCut extends Error {}

/**
 * Runs `act`, in which the call number `after` that changes files, and every later one, does not
 * happen: what a process leaves behind that was killed there, without the price of a process.
 * Answers whether it came that far. A write or copy that is cut writes half.
 */
export function cutPowerAfter(after: number, act: () => void): boolean {
  const functions = fs as unknown as Record<string, (...words: unknown[]) => unknown>
  const originals: Functions = new Map(CHANGING.map(name => [name, functions[name]!]))
  let calls = 0
  for (const [name, original] of originals) {
    functions[name] = (...words) => {
      calls += 1
      if (calls <= after) return original(...words)
      if (calls === after + 1) doHalf(name, originals, words)
      throw new PowerCut(`the power went at call ${after + 1}`)
    }
  }
  syncBuiltinESMExports()
  try {
    act()
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error
  } finally {
    for (const [name, original] of originals) functions[name] = original
    syncBuiltinESMExports()
  }
  return calls > after
}

type Functions = Map<string, (...words: unknown[]) => unknown>

function doHalf(name: string, originals: Functions, [first, second]: unknown[]): void {
  const half = (bytes: Uint8Array) => bytes.subarray(0, bytes.length >> 1)
  if (name === 'writeSync') originals.get(name)?.(first, half(second as Uint8Array))
  if (name !== 'copyFileSync') return
  // Not writeFileSync, which itself calls what is cut.
  const handle = originals.get('openSync')?.(second, 'w')
  originals.get('writeSync')?.(handle, half(content(first as string, originals)))
}

function content(path: string, originals: Functions): Uint8Array {
  const handle = originals.get('openSync')?.(path, 'r') as number
  const bytes = Buffer.alloc(4096)
  return bytes.subarray(0, fs.readSync(handle, bytes))
}
