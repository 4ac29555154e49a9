import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readRecord } from '../../agent/system/plain-record.ts'
import { resolveRooted } from '../../agent/system/rooted-path.ts'
import { openPlainProvider } from '../../controller/providers/plain.ts'
import { asStatus, type DemoHosts } from './hosts.ts'

const agent = [
  process.execPath,
  join(import.meta.dirname, '../../dist/agent/holdfast-agent.js'),
] as const

/** Hosts in plain directories under `directory`. */
export function plainHosts(directory: string): DemoHosts {
  const provider = openPlainProvider(directory, [...agent])
  const rootOf = (name: string) => join(directory, name, 'root')
  return {
    async status(name) {
      const words = [agent[1], 'status', '--prefix', rootOf(name), '-o', 'json']
      return asStatus(await output(agent[0], words))
    },
    async starts(name, services) {
      const started = services.map(service => [service, processOf(rootOf(name), service)] as const)
      return Object.fromEntries(started)
    },
    async read(name, path) {
      try {
        return readFileSync(resolveRooted(rootOf(name), path), 'utf8')
      } catch {
        return undefined
      }
    },
    async switching(name) {
      const status = await this.status(name)
      return status?.phase === 'Testing' || status?.phase === 'Armed'
    },
    cutPower: name => provider.cutPower(name),
    powerOn: name => provider.start(name),
  }
}

function output(program: string, words: readonly string[]): Promise<string> {
  return new Promise(resolve => {
    execFile(program, words, (_error, stdout) => resolve(stdout))
  })
}

function processOf(root: string, service: string): number {
  const record = readRecord(root, service)
  return record?.active === 'active' ? (record.main?.pid ?? 0) : 0
}
