import type { Command } from '../agent/cli/command.ts'
import { build } from '../installer/commands/build.ts'
import { keysNew } from '../installer/commands/keys-new.ts'
import { publish } from '../installer/commands/publish.ts'
import { rootInit } from '../installer/commands/root-init.ts'
import { rootNext } from '../installer/commands/root-next.ts'
import { rootSign } from '../installer/commands/root-sign.ts'
import { sign } from '../installer/commands/sign.ts'
import { verify } from '../installer/commands/verify.ts'
import { changeHostCommands, destroyHost } from './commands/change-host.ts'
import { controller } from './commands/controller.ts'
import { createHost } from './commands/create-host.ts'
import { deleteHost } from './commands/delete-host.ts'
import { getHosts } from './commands/get-hosts.ts'
import { getRollouts } from './commands/get-rollouts.ts'
import { status } from './commands/status.ts'
import { tokenNew } from './commands/token-new.ts'

/** The commands of `holdfast`, in the order in which a user meets them. */
export const commands: Command[] = [
  ...[keysNew, rootInit, rootNext, rootSign, sign, verify],
  ...[build, publish],
  ...[controller, tokenNew, getHosts, getRollouts, status],
  ...[createHost, ...changeHostCommands, destroyHost, deleteHost],
]
