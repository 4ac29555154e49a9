import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { openSource } from '../../agent/source/open-source.ts'

/** Polls the source of its argument: at first, on the kept connection, and on a new one. */
const source = openSource({ http: process.argv[2] ?? '' }, { scratch: '/nonexistent' })
const request = { channel: 'prod', rootVersion: 1, signal: AbortSignal.timeout(20_000) }
const tell = async (word: string) => {
  process.send?.(word)
  await once(process, 'message')
}
const { tag } = await source.poll(request)
// Three fuller polls follow news: they are not what an idle poll is.
for (let count = 0; count < 3; count += 1) await source.poll({ ...request, seen: tag })
await tell('first')
await source.poll({ ...request, seen: tag })
await tell('resume')
await setTimeout(100) // The server has closed the connection by now.
await source.poll({ ...request, seen: tag })
await tell('done')
process.disconnect()
