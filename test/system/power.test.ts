/** K01–K14: the agent is killed, or the power cut, after each effect and each durable step. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { StorePath } from '../../agent/codec/documents.ts'
import type { State } from '../../agent/core/state.ts'
import { Journal } from '../../agent/shell/journal.ts'
import { TrustFiles } from '../../agent/shell/trust-files.ts'
import { isAlive } from '../../agent/system/process-identity.ts'
import { generations, readProfile } from '../../agent/system/profile.ts'
import { runningSystem } from '../../agent/system/running.ts'
import { DiskImage, imageDirectory } from '../support/disk-image.ts'
import { needs } from '../support/needs.ts'
import { PlainOperator } from '../support/plain-operator.ts'
import type { Note, PowerOrder } from '../support/power-program.ts'
import { until } from '../support/until.ts'

const program = join(import.meta.dirname, '../support/power-program.ts')
const IMAGE_BYTES = 48 * 1024 * 1024

/** One release after another, from a host that runs the first. */
type Story = {
  name: string
  health: string
  probe: PowerOrder['probe']
  ends: 'new' | 'old'
}
const patient = { passes: 2, intervalSeconds: 0.05, windowSeconds: 30 }
/** Enough for one healthy round on a busy machine, and short for an unhealthy system. */
const brief = { passes: 1, intervalSeconds: 0.7, windowSeconds: 2 }
const good: Story = { name: 'good', health: '/bin/true', probe: patient, ends: 'new' }
const bad: Story = { name: 'bad', health: '/bin/false', probe: brief, ends: 'old' }

type Fleet = { directory: string; base: string; systems: [StorePath, StorePath] }

describe('power', { concurrency: 2 }, () => {
  it('needs loop devices', () => needs('mke2fs', 'mount'))

  for (const story of [good, bad]) {
    it(`a ${story.name} release: the power may go at any moment`, async t => {
      const fleet = await makeFleet(t, story)
      const moments = await momentsOf(t, fleet, story)
      assert.ok(moments.length > 15, moments.join('\n'))
      const found: string[] = []
      for (const killAt of worthTrying(moments, story)) {
        found.push(...(await cutPower(t, { fleet, story, killAt, writer: 'durable' })))
      }
      assert.deepEqual(found, [])
    })

    it(`a ${story.name} release: the agent may be killed at any moment`, async t => {
      const fleet = await makeFleet(t, story)
      const moments = await momentsOf(t, fleet, story)
      const found: string[] = []
      for (const killAt of worthTrying(moments, story))
        found.push(...(await killAgent(t, { fleet, story, killAt })))
      assert.deepEqual(found, [])
    })
  }

  for (const writer of ['without fsync', 'without rename'] as const) {
    it(`a journal ${writer} is found out`, async t => {
      const fleet = await makeFleet(t, good)
      const moments = await momentsOf(t, fleet, good, writer)
      const wanted = writer === 'without fsync' ? /^state\.json (Armed|Testing)/ : /^half of state/
      const chosen = [...moments.entries()].filter(([, name]) => wanted.test(name)).slice(-2)
      assert.equal(chosen.length, 2, moments.join('\n'))
      for (const [killAt] of chosen) {
        const found = await cutPower(t, { fleet, story: good, killAt, writer })
        assert.notDeepEqual(found, [], `${moments[killAt]} was survived`)
      }
    })
  }
})

/** A host that committed release 1, in an image and as a directory; release 2 is published. */
async function makeFleet(t: TestContext, { health }: Story): Promise<Fleet> {
  const directory = imageDirectory(t)
  const operator = new PlainOperator(join(directory, 'operator'))
  const image = new DiskImage(t, join(directory, 'base')).make(IMAGE_BYTES).mount()
  operator.seed(image.mountPoint)
  const systems: Fleet['systems'] = [
    operator.system('old'),
    operator.system('new', { health: [health] }),
  ]
  await operator.publish(1, systems[0])
  const order = { prefix: image.mountPoint, notes: join(directory, 'notes'), probe: patient }
  assert.equal(await live({ ...order, killAt: -1, writer: 'durable' }), 0)
  await operator.publish(2, systems[1])
  image.unmount()
  return { directory, base: image.file, systems }
}

/** The moments of a whole run that nobody disturbs. */
async function momentsOf(
  t: TestContext,
  { directory, base }: Fleet,
  { probe }: Story,
  writer: PowerOrder['writer'] = 'durable',
): Promise<string[]> {
  const image = new DiskImage(t, join(directory, 'whole')).copyFrom(base).mount()
  const notes = join(directory, 'whole.notes')
  const order = { prefix: image.mountPoint, notes, probe, writer, killAt: -1 }
  assert.equal(await live(order), 0)
  image.unmount()
  return readNotes(notes).map(({ moment }) => moment)
}

/** What comes before the way back is the same in both stories. */
function worthTrying(moments: string[], { ends }: Story): number[] {
  const first = ends === 'new' ? 0 : moments.indexOf('state.json Reverting') - 1
  return [...moments.keys()].slice(first)
}

type Case = { fleet: Fleet; story: Story; killAt: number }

/** Answers what is wrong after the power came back, if anything is. */
async function cutPower(
  t: TestContext,
  { fleet, story, killAt, writer }: Case & { writer: PowerOrder['writer'] },
): Promise<string[]> {
  const { probe } = story
  const name = join(fleet.directory, `${writer}-${killAt}`.replaceAll(' ', '-'))
  const image = new DiskImage(t, name).copyFrom(fleet.base).mount()
  const cut = { backing: image.file, copy: `${name}.cut` }
  const notes = `${name}.notes`
  const order = { prefix: image.mountPoint, notes, probe, writer, killAt, cut }
  if ((await live(order)) === 0) return missed(image)
  await activationsEnd(image.mountPoint)
  image.unmount()
  const after = new DiskImage(t, cut.copy).mount()
  const prefix = after.mountPoint
  const promised = readNotes(notes).at(-1)!
  const before = { ...readDurable(prefix), promised }
  rmSync(join(prefix, 'run'), { recursive: true, force: true }) // /run is memory.
  const again = { prefix, notes: `${notes}.again`, probe, writer, killAt: -1 }
  const exit = await live(again)
  const problems = [
    ...(exit === 0 ? [] : [`the agent ended with ${exit}`]),
    ...brokenPromises(before),
    ...wrongEnd(prefix, fleet, story),
  ]
  after.unmount()
  for (const file of [image.file, after.file]) rmSync(file, { force: true })
  return problems.map(problem => `${promised.moment}: ${problem}`)
}

/** As when the agent crashes: the machine and the activation go on. */
async function killAgent(t: TestContext, { fleet, story, killAt }: Case): Promise<string[]> {
  const { probe } = story
  const image = new DiskImage(t, join(fleet.directory, `kill-${killAt}`))
    .copyFrom(fleet.base)
    .mount()
  const prefix = image.mountPoint
  const notes = `${image.file}.notes`
  const order = { prefix, notes, probe, writer: 'durable' as const }
  if ((await live({ ...order, killAt })) === 0) return missed(image)
  const promised = readNotes(notes).at(-1)!
  const before = { ...readDurable(prefix), promised }
  const exit = await live({ ...order, notes: `${notes}.again`, killAt: -1 })
  const attempts = startedAttempts(prefix).filter(name => !name.startsWith('1-1-'))
  const expected = story.ends === 'new' ? 1 : 2 // There, or there and back.
  const problems = [
    ...(exit === 0 ? [] : [`the agent ended with ${exit}`]),
    ...brokenPromises(before),
    ...wrongEnd(prefix, fleet, story),
    ...(attempts.length === expected ? [] : [`it switched ${attempts.length} times`]),
  ]
  image.unmount()
  rmSync(image.file, { force: true })
  return problems.map(problem => `${promised.moment}: ${problem}`)
}

/** A run with fewer rounds of probes than the first had ends before this moment. */
function missed(image: DiskImage): string[] {
  image.unmount()
  return []
}

type Durable = { state: State | undefined; floor: number; promised: Note }

function readDurable(prefix: string): Omit<Durable, 'promised'> {
  const directory = join(prefix, 'var/lib/holdfast')
  const never = () => assert.fail('reading writes nothing')
  const { state } = new Journal(directory, never).read()
  return { state, floor: new TrustFiles(directory, 1, never).floor?.version ?? 0 }
}

function brokenPromises({ state, floor, promised }: Durable): string[] {
  const problems: string[] = []
  if (floor < promised.floor) problems.push(`the floor fell from ${promised.floor} to ${floor}`)
  if (state === undefined) problems.push('the journal is damaged')
  else if (promised.phase !== 'Idle' || promised.sequence > 0) {
    const [phase, sequence] = [state.step.phase, state.sequence]
    if (phase !== promised.phase || sequence !== promised.sequence) {
      problems.push(
        `the journal says ${phase} ${sequence}, not ${promised.phase} ${promised.sequence}`,
      )
    }
  }
  return problems
}

function wrongEnd(prefix: string, { systems }: Fleet, { ends }: Story): string[] {
  const { state, floor } = readDurable(prefix)
  const wanted = systems[ends === 'new' ? 1 : 0]
  const facts: [what: string, is: unknown, shall: unknown][] = [
    ['phase', state?.step.phase, ends === 'new' ? 'Idle' : 'Reverted'],
    ['profile', readProfile(prefix)?.system, wanted],
    ['running', runningSystem(prefix), wanted],
    ['generations', generations(prefix).length, ends === 'new' ? 2 : 1],
    ['floor', floor, 2],
    ['rejected', state?.rejected.length, ends === 'new' ? 0 : 1],
  ]
  return facts
    .filter(([, is, shall]) => is !== shall)
    .map(([what, is, shall]) => `${what} is ${is}, not ${shall}`)
}

async function live(order: PowerOrder): Promise<number | string> {
  const words = ['--disable-warning=ExperimentalWarning', program, JSON.stringify(order)]
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] })
  const [code, signal] = await once(child, 'exit')
  return (code as number | null) ?? (signal as string)
}

function readNotes(path: string): Note[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  return lines.map(line => JSON.parse(line) as Note)
}

function startedAttempts(prefix: string): string[] {
  const names = readdirSync(join(prefix, 'var/lib/holdfast/activations'))
  return names.filter(name => name.endsWith('.started'))
}

/** What still switches holds the old image; its power is gone with the copy. */
async function activationsEnd(prefix: string): Promise<void> {
  const folder = join(prefix, 'var/lib/holdfast/activations')
  await until(() =>
    startedAttempts(prefix).every(name => {
      const { wrapper, child } = JSON.parse(readFileSync(join(folder, name), 'utf8'))
      return !isAlive(wrapper) && (child === undefined || !isAlive(child))
    }),
  )
}
