import { runCommand } from '../../agent/cli/command.ts'
import { publish } from '../../installer/commands/publish.ts'

/** `holdfast publish` as a process of its own. */
process.exitCode = await runCommand('holdfast', [publish], process.argv.slice(2))
