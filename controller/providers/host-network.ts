/**
 * A network for the hosts of one project: a bridge with this machine's address on it, and for each
 * host a network namespace with one end of a veth pair. Nothing is routed beyond the bridge.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostError, isErrno } from '../../agent/codec/errors.ts'
import { writeDurably } from '../../agent/files/durable.ts'
import { runProgram } from './run-program.ts'

/** `subnet` are the first three bytes of a /24, such as `10.213.7`; the gateway is its `.1`. */
export type HostNetwork = { bridge: string; subnet: string; gateway: string }

const SUBNETS = 256
/** One file per address that is taken. */
const CLAIMS = '.addresses'
/** `.1` is the gateway, `.255` the broadcast. */
const NUMBER_MIN = 2
const NUMBER_MAX = 254

/** Makes the bridge when it is not there; remembers its addresses in `directory/network.json`. */
export async function ensureNetwork(directory: string): Promise<HostNetwork> {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'network.json')
  const known = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as HostNetwork)
    : undefined
  const network = known ?? (await chooseNetwork(directory))
  if (known === undefined) writeDurably(file, `${JSON.stringify(network)}\n`)
  if (!existsSync(`/sys/class/net/${network.bridge}`)) {
    await ip('link', 'add', network.bridge, 'type', 'bridge')
    await ip('addr', 'add', `${network.gateway}/24`, 'dev', network.bridge)
    await ip('link', 'set', network.bridge, 'up')
  }
  return network
}

/** Removes the bridge. Namespaces of hosts are removed with their hosts. */
export async function removeNetwork(directory: string): Promise<void> {
  const file = join(directory, 'network.json')
  if (!existsSync(file)) return
  const { bridge } = JSON.parse(readFileSync(file, 'utf8')) as HostNetwork
  if (existsSync(`/sys/class/net/${bridge}`)) await ip('link', 'del', bridge)
  rmSync(file)
}

/** Takes a free address for good: two hosts that are created at once get two. */
export function claimAddress(directory: string, subnet: string): string {
  mkdirSync(join(directory, CLAIMS), { recursive: true })
  for (let number = NUMBER_MIN; number <= NUMBER_MAX; number++) {
    const address = `${subnet}.${number}`
    try {
      writeFileSync(join(directory, CLAIMS, address), '', { flag: 'wx' })
      return address
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
    }
  }
  const is = `all ${NUMBER_MAX - NUMBER_MIN + 1} addresses of ${subnet} are taken`
  throw new HostError('network', `Cannot create a host: ${is}`)
}

export function releaseAddress(directory: string, address: string): void {
  rmSync(join(directory, CLAIMS, address), { force: true })
}

/** A namespace for one host, with `address` on its `host0`. Safe to repeat. */
export async function ensureHostNamespace(
  network: HostNetwork,
  host: { namespace: string; address: string },
): Promise<void> {
  if (!existsSync(`/run/netns/${host.namespace}`)) await ip('netns', 'add', host.namespace)
  const outside = `hv${shortHash(host.namespace)}`
  if (existsSync(`/sys/class/net/${outside}`)) return
  const inside = ['peer', 'name', 'host0', 'netns', host.namespace]
  await ip('link', 'add', outside, 'type', 'veth', ...inside)
  await ip('link', 'set', outside, 'master', network.bridge, 'up')
  await ip('-n', host.namespace, 'link', 'set', 'lo', 'up')
  await ip('-n', host.namespace, 'addr', 'add', `${host.address}/24`, 'dev', 'host0')
  await ip('-n', host.namespace, 'link', 'set', 'host0', 'up')
  await ip('-n', host.namespace, 'route', 'add', 'default', 'via', network.gateway)
}

/** Removes a host's namespace and both ends of its veth pair. */
export async function removeHostNamespace(namespace: string): Promise<void> {
  // By itself the pair would go only some time after the last process in the namespace.
  const outside = `hv${shortHash(namespace)}`
  if (existsSync(`/sys/class/net/${outside}`)) await ip('link', 'del', outside)
  if (existsSync(`/run/netns/${namespace}`)) await ip('netns', 'del', namespace)
}

/** A name that only this directory's hosts have, short enough for an interface (15 characters). */
export function networkName(directory: string): string {
  return `hf${shortHash(directory)}`
}

async function chooseNetwork(directory: string): Promise<HostNetwork> {
  const routes = await ip('-4', 'route', 'show', 'table', 'all')
  const first = Number.parseInt(shortHash(directory).slice(0, 2), 16)
  for (let step = 0; step < SUBNETS; step++) {
    const subnet = `10.213.${(first + step) % SUBNETS}`
    if (routes.includes(`${subnet}.`)) continue
    return { bridge: networkName(directory), subnet, gateway: `${subnet}.1` }
  }
  throw new HostError(
    'network',
    'Cannot make a network for hosts: every subnet of 10.213 is in use',
  )
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10)
}

function ip(...args: string[]): Promise<string> {
  return runProgram('ip', args)
}
