/** What the demo shows, step by step; each step throws when something did not hold. */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import type { Status } from '../../agent/codec/report.ts'
import { buildSystem, type Fleet, hostNames, waitForHosts } from './fleet.ts'

export type Step = {
  id: string
  title: string
  run: (fleet: Fleet, say: (line: string) => void) => Promise<string>
}

const services = ['web.service', 'steady.service', 'old.service', 'fresh.service']

export const story: Step[] = [
  {
    id: 'start',
    title: 'three hosts boot from images that are nothing but a store',
    run: bootstrap,
  },
  { id: 'a', title: 'release 2 rolls out: only what changed is restarted', run: goodRelease },
  {
    id: 'b',
    title: 'release 3 never gets healthy: every host goes back by itself',
    run: badRelease,
  },
  { id: 'c', title: 'release 4 rolls out while the controller is dead', run: withoutController },
  { id: 'd', title: 'power is cut in the middle of a switch to release 5', run: powerCut },
]

async function bootstrap(fleet: Fleet, say: (line: string) => void): Promise<string> {
  const system = await buildSystem(fleet, 1)
  say(`built ${system}`)
  await publish(fleet, system)
  const create = async (name: string) => {
    await fleet.holdfast(['create', 'host', name, '--provider', fleet.mode, '--system', system])
    say(`created ${name}`)
  }
  await Promise.all(hostNames.map(create))
  await waitForHosts(
    fleet,
    { secondsMax: 60, what: 'enrolled and on release 1' },
    onRelease(1, system),
  )
  await waitForController(fleet, host => host.sync === 'Synced')
  return 'all three enrolled, healthy, on release 1'
}

async function goodRelease(fleet: Fleet, say: (line: string) => void): Promise<string> {
  const before = await startsOfAll(fleet)
  const system = await pushRelease(fleet, 2, say)
  await waitForHosts(fleet, { secondsMax: 60, what: 'on release 2' }, onRelease(2, system))
  for (const name of hostNames) {
    const [old, now] = [before[name], await fleet.hosts.starts(name, services)]
    assert.equal(now['steady.service'], old?.['steady.service'], `${name}: steady was left alone`)
    assert.notEqual(now['web.service'], old?.['web.service'], `${name}: web was restarted`)
    assert.notEqual(now['fresh.service'], 0, `${name}: the new unit runs`)
    assert.equal(now['old.service'], 0, `${name}: the removed unit is stopped`)
    assert.match((await fleet.hosts.read(name, '/etc/demo-motd')) ?? '', /release two/)
  }
  const { code } = await fleet.holdfast(watchOf(2))
  assert.equal(code, 0)
  return 'all three converged; web restarted, fresh started, old stopped, steady untouched'
}

async function badRelease(fleet: Fleet, say: (line: string) => void): Promise<string> {
  const good = await currentSystems(fleet)
  await pushRelease(fleet, 3, say)
  const wentBack = (status: Status, name: string) =>
    status.rejected.some(({ release }) => release.version === 3) && status.running === good[name]
  await waitForHosts(fleet, { secondsMax: 90, what: 'back from release 3' }, wentBack)
  const settled = await startsOfAll(fleet)
  await setTimeout(5_000) // Two more polls, of which none may try it again.
  await waitForHosts(fleet, { secondsMax: 1, what: 'not tried again' }, wentBack)
  assert.deepEqual(await startsOfAll(fleet), settled, 'no host tried release 3 again')
  const { code } = await fleet.holdfast(watchOf(3), [0, 1])
  assert.equal(code, 1, 'the controller calls the rollout failed')
  return 'all three went back to release 2 and remember release 3'
}

async function withoutController(fleet: Fleet, say: (line: string) => void): Promise<string> {
  await fleet.controller.kill()
  say('killed the controller')
  const system = await pushRelease(fleet, 4, say)
  await waitForHosts(fleet, { secondsMax: 60, what: 'on release 4' }, onRelease(4, system))
  say('all hosts are on release 4 without a controller')
  await fleet.controller.start()
  const onFour = (host: ControllerHost) => host.sync === 'Synced' && host.running === system
  await waitForController(fleet, onFour)
  return 'all three converged; the controller came back and caught up'
}

async function powerCut(fleet: Fleet, say: (line: string) => void): Promise<string> {
  const [victim = ''] = hostNames
  const { [victim]: committed } = await currentSystems(fleet)
  const system = await pushRelease(fleet, 5, say)
  for (let waited = 0; !(await fleet.hosts.switching(victim)); waited++) {
    assert.ok(waited < 600, `${victim} never began to switch`)
    await setTimeout(50)
  }
  await setTimeout(500)
  await fleet.hosts.cutPower(victim)
  say(`cut the power of ${victim} in the middle of its switch`)
  await fleet.hosts.powerOn(victim)
  let first: string | undefined
  await waitForHosts(fleet, { names: [victim], secondsMax: 60, what: 'up again' }, status => {
    first ??= status.running
    return status.running !== undefined
  })
  assert.equal(first, committed, `${victim} came up on its committed system`)
  say(`${victim} came up on its committed system`)
  await waitForHosts(fleet, { secondsMax: 90, what: 'on release 5' }, onRelease(5, system))
  await waitForController(fleet, host => host.running === system)
  return `${victim} came up on release 4 and converged to release 5 like the others`
}

function watchOf(release: number): string[] {
  return ['status', '--watch', '--release', String(release), '--timeout', '30s']
}

type ControllerHost = { name: string; sync?: string; running?: string }

async function waitForController(
  fleet: Fleet,
  holds: (host: ControllerHost) => boolean,
): Promise<void> {
  let hosts: ControllerHost[] = []
  for (let waited = 0; waited < 120; waited++) {
    const { data } = await fleet.holdfast(['get', 'hosts'], [0, 1, 2])
    hosts = (data as { hosts?: ControllerHost[] } | undefined)?.hosts ?? []
    if (hosts.length === hostNames.length && hosts.every(holds)) return
    await setTimeout(250)
  }
  assert.fail(`the controller does not show it: ${JSON.stringify(hosts)}`)
}

function onRelease(version: number, system: string): (status: Status) => boolean {
  return status =>
    status.release?.version === version && status.committed === system && status.running === system
}

async function pushRelease(
  fleet: Fleet,
  number: number,
  say: (line: string) => void,
): Promise<string> {
  const system = await buildSystem(fleet, number)
  await publish(fleet, system)
  say(`pushed release ${number}`)
  return system
}

async function publish(fleet: Fleet, system: string): Promise<void> {
  await fleet.holdfast(['publish', ...hostNames.map(name => `${name}=${system}`)])
}

async function startsOfAll(fleet: Fleet): Promise<Record<string, Record<string, number>>> {
  const all = await Promise.all(hostNames.map(name => fleet.hosts.starts(name, services)))
  return Object.fromEntries(hostNames.map((name, index) => [name, all[index] ?? {}]))
}

async function currentSystems(fleet: Fleet): Promise<Record<string, string | undefined>> {
  const statuses = await Promise.all(hostNames.map(name => fleet.hosts.status(name)))
  return Object.fromEntries(hostNames.map((name, index) => [name, statuses[index]?.committed]))
}
