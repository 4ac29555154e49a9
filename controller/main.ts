#!/usr/bin/env node
/** `holdfast`: the operator's program. Each command is a file of its own; this is their table. */
import { type Command, runCommand } from '../agent/cli/command.ts'

const commands: Command[] = []

process.exitCode = await runCommand('holdfast', commands, process.argv.slice(2))
