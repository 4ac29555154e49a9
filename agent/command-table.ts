import type { Command } from './cli/command.ts'
import { reconcileCommand } from './shell/commands/reconcile.ts'
import { rollbackCommand } from './shell/commands/rollback.ts'
import { runCommand as run } from './shell/commands/run.ts'
import { statusCommand } from './shell/commands/status.ts'
import { activateCommand } from './system/commands/activate.ts'
import { layoutBoot } from './system/commands/layout-boot.ts'
import { layoutInit } from './system/commands/layout-init.ts'
import { layoutPreInit } from './system/commands/layout-pre-init.ts'
import { superviseCommand } from './system/commands/supervise.ts'
import { switchToConfigurationCommand } from './system/commands/switch-to-configuration.ts'

/** What people type first, then what systems and the agent itself start. */
export const commands: Command[] = [
  run,
  statusCommand,
  reconcileCommand,
  rollbackCommand,
  layoutInit,
  layoutPreInit,
  layoutBoot,
  switchToConfigurationCommand,
  activateCommand,
  superviseCommand,
]
