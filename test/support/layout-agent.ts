/**
 * An agent that only knows the layout: what tests pack which boot and switch systems, but no
 * fleet.
 */
import { runCommand } from '../../agent/cli/command.ts'
import { layoutInit } from '../../agent/system/commands/layout-init.ts'
import { layoutPreInit } from '../../agent/system/commands/layout-pre-init.ts'
import * as switching from '../../agent/system/commands/switch-to-configuration.ts'

const [first, ...rest] = process.argv.slice(2)
if (first === 'run') {
  setInterval(() => {}, 1 << 30)
} else {
  const commands = [layoutInit, layoutPreInit, switching.switchToConfigurationCommand]
  process.exitCode = await runCommand('holdfast-agent', commands, [first ?? '--help', ...rest])
}
