import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, type Phase, table } from '../../../agent/core/decide.ts'
import type { Effect } from '../../../agent/core/effect.ts'
import type { Event, Reality } from '../../../agent/core/event.ts'
import { atRest, compareReleases, initialState, type State } from '../../../agent/core/state.ts'
import { decodeState, encodeState } from '../../../agent/core/state-codec.ts'
import { limits, path, release, type Said, START_MS } from './world.ts'

/** More of them by hand: SEEDS=100000. */
const SEEDS = Number(process.env.SEEDS ?? 5_000)
const STEPS = 60

/** Mulberry32: small, seeded, good enough to shuffle events. */
function randomOf(seed: number): (below: number) => number {
  let a = seed
  return below => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

type Pending = { said: Said; boot: number }

/** A host that performs effects in its own order, answers late or twice, and loses its power. */
class World {
  state: State = initialState(0, limits)
  seen: string[] = []
  #random: (below: number) => number
  #now = START_MS
  #boot = 1
  #profile: { system: string; generation: number } | undefined
  #running: string | undefined
  #stagedPaths = new Set([path('s0')])
  #pending: Pending[] = []
  #activated = new Map<string, number>()
  #answered: Said[] = []
  #version = 0
  #passes = new Map<string, number>()

  constructor(seed: number) {
    this.#random = randomOf(seed)
    if (seed % 5 === 0) return // Every fifth host never ran anything.
    this.#profile = { system: path('s0'), generation: 1 }
    this.#running = path('s0')
  }

  start(): void {
    this.tell({ kind: 'started', reality: this.#reality(), limits })
  }

  #reality(): Reality {
    return {
      bootId: `boot-${this.#boot}`,
      ...(this.#running ? { running: this.#running } : {}),
      ...(this.#profile ? { profile: this.#profile } : {}),
    }
  }

  tell(said: Said): void {
    this.#now += 1 + this.#random(50)
    const before = this.state
    const [state, effects] = decide(before, { ...said, at: this.#now } as Event)
    this.#check(before, said, state)
    if (state !== before || effects.length > 0) {
      this.seen.push(`${before.step.phase} ${said.kind} ${state.step.phase}`)
    }
    this.state = this.#random(8) === 0 ? decodeState(encodeState(state)) : state
    for (const effect of effects) this.#perform(effect)
  }

  #check(before: State, said: Said, state: State): void {
    const rule = table[before.step.phase][said.kind]
    if (state === before) return
    assert.ok(rule, `${said.kind} has no rule in ${before.step.phase} and changed the state`)
    const to: Phase[] = rule.to.length > 0 ? rule.to : [before.step.phase]
    assert.ok(to.includes(state.step.phase), `${before.step.phase} → ${state.step.phase}`)
    if (before.newest !== undefined) {
      const order = compareReleases(state.newest!.release, before.newest.release)
      assert.ok(order >= 0, 'the floor is never lowered')
    }
    if (state.step.phase === 'Idle' && state.committed !== undefined) {
      assert.equal(state.running, state.committed.system, 'at rest the committed system runs')
    }
    assert.ok(state.sequence >= before.sequence)
  }

  /** A killed process performs nothing: sometimes the effect, or only its answer, is lost. */
  #perform(effect: Effect): void {
    const answer = this.#answer(effect)
    if (answer !== undefined) this.#pending.push({ said: answer, boot: this.#boot })
  }

  #answer(effect: Effect): Said | undefined {
    switch (effect.kind) {
      case 'stage':
        return this.#stage(effect.candidate)
      case 'lock':
        return this.#maybeDelayed(effect.key, { kind: 'locked', key: effect.key })
      case 'measure': {
        const { key } = effect.goal
        return this.#maybeDelayed(key, { kind: 'measured', key, baseline: { a: 1 } })
      }
      case 'activate':
        return this.#activate(effect)
      case 'awaitActivation':
        return this.#activationResult(effect.attempt)
      case 'probe':
        return this.#probe(effect)
      case 'commit':
        return this.#commit(effect)
      case 'revert':
        return this.#revert(effect)
      case 'setDeadline':
        return { kind: 'deadline', attempt: effect.attempt, of: effect.of }
      case 'scheduleRetry':
        return { kind: 'retry', key: effect.key }
      default:
        return undefined
    }
  }

  #maybeDelayed(key: string, answer: Said): Said {
    const late = this.#random(8) === 0
    return late ? { kind: 'delayed', key, code: 'unreachable', message: 'm' } : answer
  }

  #stage({ digest, system, release: id }: State['newest'] & object): Said {
    assert.ok(!this.#isRejected(id), 'a rejected release is not staged')
    const luck = this.#random(10)
    if (luck === 0) return this.#stageFailed(digest, 'transient')
    if (luck === 1 && id.version % 5 === 0) return this.#stageFailed(digest, 'rejected')
    this.#stagedPaths.add(system)
    return { kind: 'staged', key: digest }
  }

  #stageFailed(key: string, cause: 'rejected' | 'transient'): Said {
    return { kind: 'stageFailed', key, cause, code: 'closure', message: 'm' }
  }

  #isRejected(id: { epoch: number; version: number }): boolean {
    return this.state.rejected.some(({ release: other }) => compareReleases(other, id) === 0)
  }

  #activate({ attempt }: Effect & { kind: 'activate' }): Said {
    const { id, goal } = attempt
    assert.ok(this.#stagedPaths.has(goal.system), 'only what is staged is activated')
    if (goal.release) assert.ok(!this.#isRejected(goal.release), 'nothing rejected is activated')
    if (!this.#activated.has(id)) {
      if (this.#random(12) === 0) return { kind: 'activationLost', attempt: id, message: 'm' }
      this.#activated.set(id, this.#random(4) === 0 ? 1 : 0)
      this.#running = goal.system
    }
    return { kind: 'activating', attempt: id }
  }

  #activationResult(attempt: string): Said {
    const exitCode = this.#activated.get(attempt)
    return exitCode === undefined || this.#random(12) === 0
      ? { kind: 'activationLost', attempt, message: 'm' }
      : { kind: 'activationDone', attempt, exitCode, output: '' }
  }

  #probe({ attempt, round, system }: Effect & { kind: 'probe' }): Said {
    const healthy = this.#running === system && this.#random(3) > 0
    this.#passes.set(attempt, healthy ? (this.#passes.get(attempt) ?? 0) + 1 : 0)
    const failures = healthy ? [] : [{ code: 'http', message: 'm' }]
    return { kind: 'probed', attempt, round, healthy, failures }
  }

  #commit({ attempt, system }: Effect & { kind: 'commit' }): Said {
    assert.ok((this.#passes.get(attempt) ?? 0) >= limits.passes, 'commits only what proved healthy')
    assert.equal(this.#running, system, 'commits only what runs')
    if (this.#random(12) === 0) return { kind: 'commitFailed', attempt, code: 'c', message: 'm' }
    return { kind: 'committed', attempt, generation: this.#move(system) }
  }

  #revert({ attempt, to }: Effect & { kind: 'revert' }): Said {
    assert.ok(this.#stagedPaths.has(to))
    this.#passes.delete(attempt)
    const ok = this.#random(12) > 0
    if (ok) {
      this.#running = to
      if (this.#profile !== undefined) this.#move(to)
    }
    const profile = this.#profile ? { profile: this.#profile } : {}
    return { kind: 'reverted', attempt, ok, message: 'm', ...profile }
  }

  #move(system: string): number {
    if (this.#profile?.system !== system) {
      this.#profile = { system, generation: (this.#profile?.generation ?? 0) + 1 }
    }
    return this.#profile.generation
  }

  step(): void {
    const luck = this.#random(20)
    if (luck < 12) this.deliver()
    else if (luck < 15) this.#find()
    else if (luck === 15) this.#repeat()
    else if (luck === 16) this.#restart(this.#random(2) === 0)
    else if (luck === 17) this.#command()
    else if (luck === 18) this.tell({ kind: 'refused', code: 'expired', message: 'm' })
    else this.tell({ kind: 'unchanged' })
  }

  /** Deadlines come last more often than not: else nothing would ever be committed. */
  deliver(): boolean {
    const early = this.#pending.filter(({ said }) => said.kind !== 'deadline')
    const pool = early.length > 0 && this.#random(30) > 0 ? early : this.#pending
    const next = pool[this.#random(Math.max(1, pool.length))]
    if (next === undefined) return false
    this.#pending.splice(this.#pending.indexOf(next), 1)
    this.#answered.push(next.said)
    this.tell(next.said)
    return true
  }

  #find(): void {
    const old = this.#random(3) === 0
    if (!old) this.#version += 1
    const version = old ? this.#random(this.#version + 1) : this.#version
    const candidate = release(version, `s${(version * 7) % 4}`)
    const expires = version % 9 === 0 ? START_MS : candidate.expires
    this.tell({ kind: 'found', candidate: { ...candidate, expires } })
  }

  #repeat(): void {
    const said = this.#answered[this.#random(Math.max(1, this.#answered.length))]
    if (said !== undefined && !isFresh(this.state, said)) this.tell(said)
  }

  #restart(reboot: boolean): void {
    this.#pending = []
    if (reboot) {
      this.#boot += 1
      this.#running = this.#profile?.system
    }
    if (this.#random(4) === 0) this.#meddle()
    this.start()
  }

  /** A person switches by hand, with or without making it the boot default. */
  #meddle(): void {
    const paths = [...this.#stagedPaths]
    const system = paths[this.#random(paths.length)]
    if (system === undefined || this.#profile === undefined) return
    this.#running = system
    if (this.#random(2) === 0) this.#move(system)
  }

  #command(): void {
    const waits = ['Verified', 'Staged', 'Locked'].includes(this.state.step.phase)
    const reconcile = this.#random(2) === 0
    if ((atRest(this.state) || (waits && !reconcile)) && this.#random(3) === 0) this.#meddle()
    const reality = this.#reality()
    if (reconcile) {
      this.tell({ kind: 'commandReconcile', reality, retry: this.#random(2) === 0 })
      return
    }
    const paths = [...this.#stagedPaths]
    const to = { system: paths[this.#random(paths.length)]!, generation: 1 }
    this.tell({ kind: 'commandRollback', reality, to })
  }

  /** Only answers from here on: whatever was under way has to come to its end. */
  drain(): void {
    for (let turn = 0; turn < 2_000 && this.#pending.length > 0; turn += 1) this.deliver()
    assert.ok(atRest(this.state), `${this.state.step.phase} never ends`)
  }

  settled(): void {
    if (this.state.step.phase === 'Held' || this.state.committed === undefined) return
    assert.equal(this.#running, this.#profile?.system, 'at rest the committed system runs')
    assert.equal(this.state.committed.system, this.#profile?.system)
  }
}

/** An answer that is still awaited is not a repeated one. */
function isFresh({ step, rounds }: State, said: Said): boolean {
  if (said.kind === 'probed') return said.round === rounds
  if (said.kind === 'deadline') return 'attempt' in step && step.attempt.id === said.attempt
  if ('key' in said) return true
  return 'attempt' in said && 'attempt' in step && step.attempt.id === said.attempt
}

const seen = new Set<string>()

test(`${SEEDS} random event orders keep every promise`, () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const world = new World(seed)
    try {
      world.start()
      for (let step = 0; step < STEPS; step += 1) world.step()
      world.drain()
      world.settled()
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
    for (const transition of world.seen) seen.add(transition)
  }
})

test('every rule is reached by random orders, with every phase it names', () => {
  const unseen = Object.entries(table).flatMap(([phase, events]) =>
    Object.entries(events as Record<string, { to: Phase[] }>).flatMap(([kind, { to }]) =>
      (to.length > 0 ? to : [phase])
        .map(next => `${phase} ${kind} ${next}`)
        .filter(transition => !seen.has(transition)),
    ),
  )
  assert.deepEqual(unseen, [])
})
