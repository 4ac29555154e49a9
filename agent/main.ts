#!/usr/bin/env node
import { type Command, runCommand } from './cli/command.ts'
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

/** `holdfast-agent`: what people type first, then what systems and the agent itself start. */
const commands: Command[] = [
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

process.exitCode = await runCommand('holdfast-agent', commands, process.argv.slice(2))
