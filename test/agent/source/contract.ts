import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { SignedDocument } from '../../../agent/codec/documents.ts'
import type { PollResult, Source } from '../../../agent/source/source.ts'

/** The files of a release tree by path; undefined removes one. */
export type TreeChange = Record<string, string | undefined>

export type Bench = {
  source: Source
  /** Another object for the same place, as after a restart. */
  reopen: () => Source
  /** Makes the change visible at the source, all at once. */
  publish: (change: TreeChange) => Promise<void>
  /** Looks, once the story is over, whether anything was left behind. */
  check?: () => void
}

export type OpenBench = (t: TestContext) => Promise<Bench>

const first = { 'prod/release.json': '{"v":1}', 'prod/release.json.sig': 'sig 1' }

/** What every kind of source has to do, whatever lies below it. */
export function sourceContract(kind: string, open: OpenBench): void {
  const story = (name: string, run: (bench: Bench) => Promise<void>) => {
    test(`${kind}: ${name}`, async t => {
      const bench = await open(t)
      await run(bench)
      bench.check?.()
    })
  }

  story('finds the first release with its signatures', async ({ source, publish }) => {
    await publish(first)
    const result = found(await poll(source))
    assert.deepEqual(texts(result.release), ['{"v":1}', 'sig 1'])
    assert.deepEqual(result.roots, [])
  })

  story('says unchanged to the tag it gave, after a restart too', async bench => {
    await bench.publish(first)
    const { tag } = found(await poll(bench.source))
    assert.deepEqual(await poll(bench.source, { seen: tag }), { kind: 'unchanged', tag })
    assert.deepEqual(await poll(bench.reopen(), { seen: tag }), { kind: 'unchanged', tag })
  })

  story('finds a newer release, and the older one when it comes back', async bench => {
    await bench.publish(first)
    const { tag } = found(await poll(bench.source))
    await bench.publish({ 'prod/release.json': '{"v":2}', 'prod/release.json.sig': 'sig 2' })
    const second = found(await poll(bench.source, { seen: tag }))
    assert.deepEqual(texts(second.release), ['{"v":2}', 'sig 2'])
    await bench.publish(first)
    const third = found(await poll(bench.source, { seen: second.tag }))
    assert.deepEqual(texts(third.release), ['{"v":1}', 'sig 1'])
  })

  story('brings the roots after the trusted one, in order', async ({ source, publish }) => {
    await publish({ ...first, ...roots(1, 4) })
    const result = found(await poll(source, { rootVersion: 2 }))
    assert.deepEqual(result.roots.map(texts), [
      ['root 3', 'root sig 3'],
      ['root 4', 'root sig 4'],
    ])
  })

  story('finds a root that comes without a new release', async ({ source, publish }) => {
    await publish({ ...first, ...roots(1, 1) })
    const { tag } = found(await poll(source))
    await publish(roots(2, 2))
    const result = await pollUntilFound(source, tag)
    assert.deepEqual(result.roots.map(texts), [['root 2', 'root sig 2']])
  })

  story('finds one more signature beside the same release', async ({ source, publish }) => {
    await publish(first)
    const { tag } = found(await poll(source))
    await publish({ 'prod/release.json.sig': 'sig 1, sig 1b' })
    const result = await pollUntilFound(source, tag)
    assert.deepEqual(texts(result.release), ['{"v":1}', 'sig 1, sig 1b'])
  })

  story('H25: stops at 64 roots and goes on at the next poll', async ({ source, publish }) => {
    await publish({ ...first, ...roots(2, 66) })
    const result = found(await poll(source))
    assert.equal(result.roots.length, 64)
    assert.deepEqual(texts(result.roots[63]!), ['root 65', 'root sig 65'])
    const rest = await pollUntilFound(source, undefined, 65)
    assert.deepEqual(rest.roots.map(texts), [['root 66', 'root sig 66']])
  })

  story('refuses a document of a byte over 1 MiB and takes one of 1 MiB', async bench => {
    await bench.publish({ ...first, 'prod/release.json': ' '.repeat(1024 * 1024) })
    found(await poll(bench.source))
    await bench.publish({ ...first, 'prod/release.json': ' '.repeat(1024 * 1024 + 1) })
    await assert.rejects(poll(bench.source), { code: 'oversized', kind: 'rejected' })
  })

  story('names a missing release, and finds it once it is there', async bench => {
    await bench.publish({ 'other/release.json': '{}', 'other/release.json.sig': '' })
    await assert.rejects(poll(bench.source), { code: 'no-release' })
    await bench.publish(first)
    found(await poll(bench.source))
  })

  story('refuses a channel that is not a plain word', async ({ source }) => {
    for (const channel of ['../prod', 'a/b', '', '.git', 'root', '%2e%2e']) {
      const request = { channel, rootVersion: 1, signal: new AbortController().signal }
      await assert.rejects(source.poll(request), { code: 'config' })
    }
  })

  story('stops when it is told to', async ({ source, publish }) => {
    await publish(first)
    const signal = AbortSignal.abort(new Error('enough'))
    await assert.rejects(source.poll({ channel: 'prod', rootVersion: 1, signal }), /enough/)
  })
}

export function poll(
  source: Source,
  { seen, rootVersion = 1 }: { seen?: string | undefined; rootVersion?: number } = {},
): Promise<PollResult> {
  const signal = AbortSignal.timeout(20_000)
  return source.poll({ channel: 'prod', rootVersion, signal, ...(seen && { seen }) })
}

export function found(result: PollResult) {
  assert.ok(result.kind === 'found', 'the poll found nothing')
  return result
}

export function texts(document: SignedDocument): string[] {
  return [document.bytes.toString(), document.signatures.toString()]
}

export function roots(from: number, to: number): TreeChange {
  const change: TreeChange = {}
  for (let version = from; version <= to; version += 1) {
    change[`root/${version}.json`] = `root ${version}`
    change[`root/${version}.json.sig`] = `root sig ${version}`
  }
  return change
}

/** What is not the release itself may be looked at more rarely, but within ten polls. */
async function pollUntilFound(source: Source, seen: string | undefined, rootVersion = 1) {
  for (let count = 0; count < 10; count += 1) {
    const result = await poll(source, { seen, rootVersion })
    if (result.kind === 'found') return result
  }
  return assert.fail('ten polls found nothing')
}
