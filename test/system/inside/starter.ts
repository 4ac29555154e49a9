/** Starts an activation and ends: words are the attempt and the system. See systemd-switch.ts. */
import { startActivation } from '../../../agent/system/activation.ts'
import { agentProgram } from '../../support/agent-program.ts'

const [attempt, system] = process.argv.slice(2)
await startActivation({
  prefix: '/',
  system: system!,
  attempt: attempt!,
  action: 'test',
  deadlineSeconds: 60,
  command: agentProgram,
})
