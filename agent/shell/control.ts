import type { Server } from 'node:net'
import { HostError } from '../codec/errors.ts'
import { type Generation, generations, readProfile } from '../system/profile.ts'
import type { Agent } from './agent.ts'
import type { ControlAnswer, ControlRequest } from './control-protocol.ts'
import { openControl } from './control-server.ts'
import { readReality } from './reality.ts'

/** What people can ask of a running agent, on its socket. */
export async function serveControl(agent: Agent): Promise<Server> {
  const { places, log } = agent.parts
  const answer = async (request: ControlRequest): Promise<ControlAnswer> => {
    if (request.command === 'reconcile') await reconcile(agent, request.retry)
    if (request.command === 'rollback') await rollback(agent)
    return { status: agent.status() }
  }
  return await openControl({ path: places.socket, answer, log })
}

/** Answers when the sources were asked; what they lead to goes on. */
async function reconcile(agent: Agent, retry: boolean): Promise<void> {
  const reality = readReality(agent.parts.places.prefix)
  await agent.tell({ kind: 'commandReconcile', reality, retry })
  await agent.polled()
}

async function rollback(agent: Agent): Promise<void> {
  const { prefix } = agent.parts.places
  const { phase } = agent.state.step
  const to = previousGeneration(agent)
  await agent.tell({ kind: 'commandRollback', reality: readReality(prefix), to })
  if (phase === 'Armed' || phase === 'Committed' || phase === 'Reverting') {
    throw new HostError('busy', `Cannot roll back: the host is ${phase}`)
  }
}

/** The newest generation before the committed one that is another system and still in the store. */
function previousGeneration({ parts: { places, store } }: Agent): Generation {
  const current = readProfile(places.prefix)
  const older = generations(places.prefix).filter(
    ({ generation, system }) =>
      current !== undefined &&
      generation < current.generation &&
      system !== current.system &&
      store.has(system),
  )
  const previous = older.at(-1)
  if (previous !== undefined) return previous
  throw new HostError('no-generation', 'Cannot roll back: there is no older generation')
}
