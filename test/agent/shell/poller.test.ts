import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SignedDocument } from '../../../agent/codec/documents.ts'
import { TransientError } from '../../../agent/codec/errors.ts'
import type { Log } from '../../../agent/shell/log.ts'
import { Poller } from '../../../agent/shell/poller.ts'
import { TrustFiles } from '../../../agent/shell/trust-files.ts'
import type { Source } from '../../../agent/source/source.ts'
import { digestOf } from '../../../agent/trust/root-chain.ts'
import { firstRoot, NOW, pinOf, releaseKey, releaseOf, signedRelease } from '../../support/fleet.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Log
const { signal } = new AbortController()
const version = (number: number) => signedRelease(releaseOf({ version: number }), releaseKey)

type Shelf = Source & { release: SignedDocument | undefined; polls: number; reads: number }

/** A source that offers what a test puts there, or cannot be read. */
function shelf(name: string, release?: SignedDocument): Shelf {
  return {
    name,
    release,
    polls: 0,
    reads: 0,
    async poll({ rootVersion, seen }) {
      this.polls += 1
      if (this.release === undefined) throw new TransientError('unreachable', 'nobody is there')
      const tag = digestOf(this.release)
      if (seen === tag) return { kind: 'unchanged', tag }
      this.reads += 1
      const roots = rootVersion === 0 ? [firstRoot] : []
      return { kind: 'found', tag, roots, release: this.release }
    },
  }
}

function pollerOf(directory: string, sources: Source[]): Poller {
  const seed = { fleet: 'demo', host: 'web', channel: 'prod', root: pinOf(firstRoot), sources: [] }
  const trust = new TrustFiles(directory, 1, () => {})
  return new Poller({ seed, sources, trust, log: quiet, now: () => NOW, random: Math.random })
}

async function found(poller: Poller): Promise<number | string> {
  const outcome = await poller.poll(signal)
  if (outcome.kind !== 'found') return outcome.kind
  outcome.handled()
  return outcome.candidate.release.version
}

test('a source that stands still hides nothing that any other has', async t => {
  const sources = [shelf('stale', version(7)), shelf('b', version(7)), shelf('c', version(7))]
  const poller = pollerOf(temporaryDirectory(t), sources)
  assert.equal(await found(poller), 7)
  sources[2]!.release = version(8)
  const rounds = [await found(poller), await found(poller)]
  assert.ok(rounds.includes(8), String(rounds))
  // Now the first one is behind, which is no reason to go back.
  assert.equal(await found(poller), 'unchanged')
})

test('without news two sources are asked in a round, and with news one', async t => {
  const sources = ['a', 'b', 'c', 'd'].map(name => shelf(name, version(7)))
  const poller = pollerOf(temporaryDirectory(t), sources)
  const polls = () => sources.map(source => source.polls)
  await found(poller)
  assert.deepEqual(polls(), [1, 0, 0, 0])
  for (let round = 0; round < 6; round += 1) await found(poller)
  assert.deepEqual(polls(), [7, 2, 2, 2])
  assert.deepEqual(
    sources.map(source => source.reads),
    [1, 1, 1, 1],
  )
})

test('one source that answers is enough', async t => {
  const sources = [shelf('down'), shelf('up', version(7)), shelf('down too')]
  const poller = pollerOf(temporaryDirectory(t), sources)
  assert.equal(await found(poller), 7)
  assert.equal(await found(poller), 'unchanged')
  assert.deepEqual(
    poller.statuses.map(({ ok }) => ok),
    [false, true, false],
  )
})
