/** How the story looks at its hosts and pulls their plugs, whichever way they run. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Status } from '../../agent/codec/report.ts'
import { openNspawnProvider } from '../../controller/providers/nspawn.ts'

export interface DemoHosts {
  /** What `holdfast-agent status` says on the host; undefined while it cannot be asked. */
  status(name: string): Promise<Status | undefined>
  /**
   * A number per service that changes when the service is started again; 0 when it does not run.
   */
  starts(name: string, services: string[]): Promise<Record<string, number>>
  /** A file as the host sees it; undefined when it is not there. */
  read(name: string, path: string): Promise<string | undefined>
  /** Whether a switch is under way on the host at this moment. */
  switching(name: string): Promise<boolean>
  cutPower(name: string): Promise<void>
  powerOn(name: string): Promise<void>
}

const AGENT = '/run/current-system/agent/bin/holdfast-agent'

/** Hosts of the nspawn provider whose disks lie under `directory`. */
export function nspawnHosts(directory: string): DemoHosts {
  const provider = openNspawnProvider(directory)
  const quietly = async (name: string, words: string[]) => {
    try {
      return await provider.execute(name, words)
    } catch {
      return '' // The host is off, or on its way up or down.
    }
  }
  return {
    async status(name) {
      return asStatus(await quietly(name, [AGENT, 'status', '-o', 'json']))
    },
    async starts(name, services) {
      const show = ['systemctl', 'show', '--property=MainPID', '--value']
      const ids = await Promise.all(services.map(service => quietly(name, [...show, service])))
      return Object.fromEntries(services.map((service, index) => [service, Number(ids[index])]))
    },
    async read(name, path) {
      try {
        return readFileSync(join(directory, name, 'root', path), 'utf8')
      } catch {
        return (await quietly(name, ['cat', path])) || undefined
      }
    },
    async switching(name) {
      const list = ['systemctl', 'list-units', '--no-legend', '--plain', 'holdfast-switch-*']
      return (await quietly(name, list)).includes('running')
    },
    cutPower: name => provider.cutPower(name),
    powerOn: name => provider.start(name),
  }
}

/** The status in what `holdfast-agent status -o json` printed, if it did. */
export function asStatus(text: string): Status | undefined {
  try {
    const value = JSON.parse(text) as Status
    return value.host === undefined ? undefined : value
  } catch {
    return undefined
  }
}
