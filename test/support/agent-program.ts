/**
 * The commands of a system's layout alone, as a program: what tests start where hosts have the
 * agent.
 */
import { runCommand } from '../../agent/cli/command.ts'
import { activateCommand } from '../../agent/system/commands/activate.ts'
import { superviseCommand } from '../../agent/system/commands/supervise.ts'
import { switchToConfigurationCommand } from '../../agent/system/commands/switch-to-configuration.ts'

/** The words that start this program. */
export const agentProgram: readonly string[] = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  import.meta.filename,
]

if (process.argv[1] === import.meta.filename) {
  process.exitCode = await runCommand(
    'holdfast-agent',
    [activateCommand, superviseCommand, switchToConfigurationCommand],
    process.argv.slice(2),
  )
}
