import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { SourceConfig } from '../../agent/codec/documents.ts'
import type { PollResult, Source } from '../../agent/source/source.ts'

/** What `idle.ts` asks of this process: poll a source again and again, or do nothing at all. */
export type Order = { config?: SourceConfig; scratch: string; polls: number; pauseMs: number }
export type Weight = { rssMiB: number; anonymousMiB: number; cpuMsPerPoll: number }

const order = JSON.parse(process.argv[2] ?? '{}') as Order
const source = order.config === undefined ? undefined : await open(order.config)
const seen = source && (await poll(source)).tag
// Ten polls first, so that code is warm and one-time costs are over.
await repeat(10)
const before = process.cpuUsage()
await repeat(order.polls)
const { user, system } = process.cpuUsage(before)
const weight: Weight = {
  rssMiB: smaps('Rss'),
  anonymousMiB: smaps('Anonymous'),
  cpuMsPerPoll: (user + system) / 1000 / order.polls,
}
process.stdout.write(JSON.stringify(weight))

async function open(config: SourceConfig): Promise<Source> {
  const { openSource } = await import('../../agent/source/open-source.ts')
  return openSource(config, { scratch: order.scratch })
}

function poll(from: Source, tag?: string): Promise<PollResult> {
  const signal = AbortSignal.timeout(60_000)
  return from.poll({ channel: 'prod', rootVersion: 1, signal, ...(tag && { seen: tag }) })
}

async function repeat(polls: number): Promise<void> {
  for (let count = 0; count < polls; count += 1) {
    const result = source && (await poll(source, seen))
    if (result?.kind === 'found') throw new Error('the source changed')
    await setTimeout(order.pauseMs)
  }
}

function smaps(field: string): number {
  const text = readFileSync('/proc/self/smaps_rollup', 'utf8')
  return Number(new RegExp(`^${field}: +([0-9]+) kB$`, 'm').exec(text)?.[1]) / 1024
}
