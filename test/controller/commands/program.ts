/** The commands of the controller and its readers, as a program that tests start. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { TestContext } from 'node:test'
import { runCommand } from '../../../agent/cli/command.ts'
import { controller } from '../../../controller/commands/controller.ts'
import { deleteHost } from '../../../controller/commands/delete-host.ts'
import { getHosts } from '../../../controller/commands/get-hosts.ts'
import { getRollouts } from '../../../controller/commands/get-rollouts.ts'
import { status } from '../../../controller/commands/status.ts'
import { tokenNew } from '../../../controller/commands/token-new.ts'

export const commands = [controller, getHosts, getRollouts, status, tokenNew, deleteHost]

export type Ended = { exit: number | null; signal: string | null; stdout: string; stderr: string }
export type Program = {
  process: ChildProcess
  /** The first line of stdout. */
  line: Promise<string>
  ended: Promise<Ended>
}

/** Starts the program with these words; it is killed when the test ends. */
export function start(t: TestContext, ...words: string[]): Program {
  const child = spawn(process.execPath, [import.meta.filename, ...words], { cwd: '/' })
  t.after(() => child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const line = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
      if (stdout.includes('\n')) resolve(stdout.slice(0, stdout.indexOf('\n')))
    })
    child.on('close', () => reject(new Error(`it ended without a line: ${stderr}`)))
  })
  line.catch(() => undefined)
  const ended = new Promise<Ended>(resolve => {
    child.on('close', (exit, signal) => resolve({ exit, signal, stdout, stderr }))
  })
  return { process: child, line, ended }
}

if (process.argv[1] === import.meta.filename) {
  process.exitCode = await runCommand('holdfast', commands, process.argv.slice(2))
}
