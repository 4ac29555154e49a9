import type { Invocation } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { ControllerClient, readTokenFile } from '../client.ts'
import { nearestProject } from '../nearest-project.ts'

/** The options by which a command finds its controller. */
export const connectionOptions = {
  controller: { type: 'string' },
  'token-file': { type: 'string' },
  project: { type: 'string' },
} as const

export const connectionHelp = {
  controller: 'URL of the controller; otherwise from HOLDFAST_CONTROLLER or holdfast.json',
  'token-file': 'File with the operator token; otherwise from holdfast.json',
  project: 'The project file, instead of the nearest holdfast.json',
}

/** Options first, then the environment, then the project file. */
export async function connect(invocation: Invocation): Promise<ControllerClient> {
  const { values, signal } = invocation
  const text = (key: string) => (typeof values[key] === 'string' ? values[key] : undefined)
  const given = text('controller') ?? process.env.HOLDFAST_CONTROLLER
  const project = given === undefined ? nearestProject(text('project'))?.controller : undefined
  const url = given ?? project?.url
  if (url === undefined) {
    throw new UsageError('usage', 'Cannot find "controller": no URL is given', {
      next: 'Give --controller=URL, or name it in holdfast.json',
    })
  }
  const file = text('token-file') ?? process.env.HOLDFAST_TOKEN_FILE ?? project?.tokenFile
  const token = file === undefined ? undefined : readTokenFile(file)
  return new ControllerClient({ url, signal, ...(token !== undefined && { token }) })
}
