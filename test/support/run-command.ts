import { type Command, type ExitCode, runCommand } from '../../agent/cli/command.ts'

export type Ran = { exit: ExitCode; stdout: string; stderr: string }

/** Runs a command line in this process, as `main` does, and catches what it writes. */
export async function ranCommand(commands: Command[], argv: string[]): Promise<Ran> {
  const written = { stdout: '', stderr: '' }
  const restore = [catchWrites('stdout', written), catchWrites('stderr', written)]
  try {
    const exit = await runCommand('holdfast', commands, argv)
    return { exit, ...written }
  } finally {
    for (const each of restore) each()
  }
}

function catchWrites(name: 'stdout' | 'stderr', written: { stdout: string; stderr: string }) {
  const stream = process[name]
  const write = stream.write.bind(stream)
  stream.write = ((text: string | Uint8Array, ...rest: never[]) => {
    // The test runner reports through stdout too, as bytes: those are let through.
    if (typeof text !== 'string') return write(text, ...rest)
    written[name] += text
    return true
  }) as typeof stream.write
  return () => {
    stream.write = write
  }
}
