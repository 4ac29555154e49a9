#!/usr/bin/env node
/** `holdfast`: the operator's program. */
import { runCommand } from '../agent/cli/command.ts'
import { commands } from './command-table.ts'

process.exitCode = await runCommand('holdfast', commands, process.argv.slice(2))
