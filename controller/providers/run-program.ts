import { execFile } from 'node:child_process'
import { HostError, isErrno, UsageError } from '../../agent/codec/errors.ts'

const packages: Record<string, string> = { ip: 'iproute2', 'systemd-nspawn': 'systemd-container' }

/**
 * Runs a program to its end and returns its stdout; a failure quotes the last line of its stderr.
 * With `anyExit` a program that ran has answered, whatever its exit code.
 */
export function runProgram(
  program: string,
  args: string[],
  options: { anyExit?: boolean } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
      if (error === null || (options.anyExit && typeof error.code === 'number')) resolve(stdout)
      else reject(asProgramError(program, args, { error, stderr }))
    })
  })
}

function asProgramError(program: string, args: string[], failed: { error: Error; stderr: string }) {
  const { error, stderr } = failed
  if (isErrno(error, 'ENOENT')) {
    const message = `Cannot run "${program}": it is not installed`
    const next = `Run apt-get install ${packages[program] ?? program}`
    return new UsageError('missing', message, { cause: error, next })
  }
  const said = stderr.trim().split('\n').at(-1) ?? error.message
  return new HostError('program', `Cannot run "${[program, ...args].join(' ')}": ${said}`, {
    cause: error,
  })
}
