import { join, resolve } from 'node:path'

/** Where an agent keeps things under its prefix. */
export type Places = {
  prefix: string
  /** `/var/lib/holdfast`, mode 0700: what must survive a power cut. */
  state: string
  /** `/run/holdfast`: gone after a boot. */
  run: string
  lock: string
  /** In a directory of its own that only root may enter. */
  socket: string
  seed: string
  config: string
  /** A throw-away directory of the sources. */
  scratch: string
}

export function placesOf(prefix: string): Places {
  const top = resolve(prefix)
  const state = join(top, 'var/lib/holdfast')
  const run = join(top, 'run/holdfast')
  return {
    prefix: top,
    state,
    run,
    lock: join(run, 'agent.lock'),
    socket: join(run, 'agent.sock'),
    seed: join(state, 'seed.json'),
    config: join(top, 'etc/holdfast/agent.json'),
    scratch: join(run, 'scratch'),
  }
}
