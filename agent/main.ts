#!/usr/bin/env node
/** `holdfast-agent`: what runs on a host. */
import { runCommand } from './cli/command.ts'
import { commands } from './command-table.ts'

process.exitCode = await runCommand('holdfast-agent', commands, process.argv.slice(2))
