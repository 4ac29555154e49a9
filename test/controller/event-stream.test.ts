import assert from 'node:assert/strict'
import { test } from 'node:test'
import { committed, enrolled, going, testController } from './controller-fixture.ts'

test('a stream tells what happened after the last id, and what happens', async t => {
  const controller = await testController(t)
  const host = await enrolled(controller, 'web-1')
  await host.report(committed(2))
  const stream = await openStream(controller, '1')
  assert.deepEqual(await stream.next(), { id: '2', kind: 'rollout.started' })
  assert.deepEqual(await stream.next(), { id: '3', kind: 'host.phase' })
  assert.deepEqual(await stream.next(), { id: '4', kind: 'rollout.ended' })
  await host.report(going(3, 'Staged'))
  assert.deepEqual(await stream.next(), { id: '5', kind: 'rollout.started' })
})

test('who missed more than is kept is told to start anew', async t => {
  const controller = await testController(t)
  await enrolled(controller, 'web-1')
  const stream = await openStream(controller, '999')
  assert.deepEqual(await stream.next(), { id: '1', kind: 'reset' })
})

test('a controller with open streams closes within a second', async t => {
  const controller = await testController(t)
  const stream = await openStream(controller)
  const before = performance.now()
  await controller.close()
  assert.equal(await stream.next(), undefined)
  // Five times the promise: what is meant is that the stream does not hold it.
  assert.ok(performance.now() - before < 5000)
})

/** Reads one event after the other; undefined at the end. */
async function openStream({ url, token }: { url: string; token: string }, lastId?: string) {
  const headers = { authorization: `Bearer ${token}`, ...(lastId && { 'last-event-id': lastId }) }
  const response = await fetch(`${url}/v1/events`, { headers })
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const chunks = response.body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]()
  let text = ''
  const next = async (): Promise<{ id: string; kind: string } | undefined> => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end === -1) {
        const { value, done } = await chunks.next()
        if (done) return undefined
        text += value
        continue
      }
      const block = text.slice(0, end)
      text = text.slice(end + 2)
      const id = /^id: (\d+)$/m.exec(block)?.[1]
      if (id === undefined) continue
      const kind = /^event: (\w+)$/m.exec(block)?.[1] ?? /"kind":"([^"]+)"/.exec(block)?.[1]
      return { id, kind: kind ?? '' }
    }
  }
  return { next }
}
