import { readFileSync } from 'node:fs'

/**
 * The words that start this very program again: runtime, its options, main file. Read from the
 * kernel, because in a bare store the runtime is started by its own dynamic linker, and then the
 * options before `node` are words that `process.argv` does not show.
 */
export function agentCommand(): string[] {
  const words = readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(0, -1)
  const ours = words.length - (process.argv.length - 2)
  return [process.execPath, ...words.slice(1, ours - 1), process.argv[1]!]
}
