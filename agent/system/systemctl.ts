import { spawn } from 'node:child_process'
import { HostError, messageOf } from '../codec/errors.ts'
import type { ActiveState, LoadedUnit } from './service-manager.ts'

/** What `systemctl show` is asked for; {@link parseShow} reads the answer. */
const PROPERTIES = ['Id', 'LoadState', 'ActiveState', 'SubState', 'FragmentPath', 'ExecMainStatus']

/** A host may have thousands of units; each takes some 150 bytes here. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

export type Outcome = { exitCode: number; stdout: string; stderr: string }

/** Runs `systemctl`. Its exit code is an answer; that it cannot run is a HostError `services`. */
export function systemctl(words: readonly string[]): Promise<Outcome> {
  return runProgram('systemctl', ['--no-pager', '--no-ask-password', ...words])
}

/** Runs a program of systemd's to its end and keeps what it says, in the C locale. */
export function runProgram(program: string, words: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, LC_ALL: 'C', SYSTEMD_COLORS: '0' }
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < OUTPUT_BYTES_MAX) stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < OUTPUT_BYTES_MAX) stderr += text
    })
    child.on('error', cause => {
      const message = `Cannot run "${program}": ${messageOf(cause)}`
      reject(new HostError('services', message, { cause }))
    })
    child.on('close', (code, signal) => {
      resolve({ exitCode: code ?? (signal === null ? 1 : 128), stdout, stderr })
    })
  })
}

/** All units in systemd's memory. */
export async function showUnits(): Promise<LoadedUnit[]> {
  const done = await systemctl(['show', `--property=${PROPERTIES.join(',')}`, '*'])
  if (done.exitCode !== 0) {
    const text = done.stderr.trim() || `systemctl ended with ${done.exitCode}`
    throw new HostError('services', `Cannot list "units": ${text}`)
  }
  return parseShow(done.stdout)
}

/** Reads blocks of `Key=value` lines, with an empty line between units. */
export function parseShow(text: string): LoadedUnit[] {
  const units: LoadedUnit[] = []
  for (const block of text.split(/\n\n+/)) {
    const fields = new Map<string, string>()
    for (const line of block.split('\n')) {
      const equals = line.indexOf('=')
      if (equals > 0) fields.set(line.slice(0, equals), line.slice(equals + 1))
    }
    const name = fields.get('Id')
    if (name === undefined) continue
    units.push({
      name,
      active: (fields.get('ActiveState') ?? 'inactive') as ActiveState,
      sub: fields.get('SubState') ?? '',
      fragment: fields.get('FragmentPath') ?? '',
      exitCode: Number(fields.get('ExecMainStatus') ?? 0),
    })
  }
  return units
}
