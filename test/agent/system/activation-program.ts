/**
 * An agent whose switch does what a test asks for, in the variable SWITCH; see activation.test.ts.
 */
import { spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { runCommand } from '../../../agent/cli/command.ts'
import { activateCommand } from '../../../agent/system/commands/activate.ts'

const behaviours: Record<string, () => void> = {
  good: () => process.stdout.write('all is well\n'),
  fails: () => {
    process.stderr.write('it went wrong\n')
    process.exitCode = 1
  },
  hangs: () => void setInterval(() => {}, 1000),
  stubborn: () => {
    process.on('SIGTERM', () => {})
    setInterval(() => {}, 1000)
  },
  forks: () => {
    // Holds the output open, and would write later.
    const script = `sleep 3; echo late >> ${process.env.SWITCH_LOG}`
    spawn('/bin/sh', ['-c', script], { stdio: 'inherit' }).unref()
    process.stdout.write('forked\n')
    process.exit(0)
  },
  talks: () => process.stdout.write(`${'x'.repeat(1_000_000)}end`),
}

if (process.argv.includes('switch-to-configuration')) {
  appendFileSync(process.env.SWITCH_LOG!, 'run\n')
  behaviours[process.env.SWITCH!]!()
} else {
  process.exitCode = await runCommand('holdfast-agent', [activateCommand], process.argv.slice(2))
}
