/** A thread that takes store paths from a cache to the disk, each in one go on reused buffers. */
import { basename } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { NARINFO_BYTES_MAX } from '../codec/narinfo.ts'
import { CacheClient } from './cache-client.ts'
import { flushTrees } from './flush.ts'
import { readLocation } from './locate.ts'
import { explainWriteError, PathReceiver } from './path-receiver.ts'
import { checkTree } from './tree-check.ts'
import { toWire, type WireError, type WorkerRequest, type WorkerStart } from './worker-protocol.ts'

/** Progress is told in steps of this many bytes. */
const WRITTEN_STEP_BYTES = 4 * 1024 * 1024

const { staging, narrowUmask } = workerData as WorkerStart
const port = parentPort!
const cache = new CacheClient()
let written = 0

port.on('message', async ({ id, request }: { id: number; request: WorkerRequest }) => {
  try {
    const result = await perform(request)
    tell({ id, result })
  } catch (error) {
    tell({ id, error: toWire(explainWriteError(error, nameOf(request))) })
  }
})

async function perform(request: WorkerRequest): Promise<unknown> {
  if (request.kind === 'fetch') return await fetchPath(request)
  if (request.kind === 'check') return checkTree(request.at, request.info)
  if (request.kind === 'get')
    return await cache.read(request.mirror, request.name, request.bytesMax)
  if (request.kind === 'flush') return flushTrees(request.paths)
  const name = `${basename(request.path).slice(0, 32)}.narinfo`
  const narinfo = await cache.read(request.mirror, name, NARINFO_BYTES_MAX)
  return readLocation(narinfo, `${request.mirror} ${name}`)
}

async function fetchPath(request: WorkerRequest & { kind: 'fetch' }): Promise<number> {
  const { mirror, location, info } = request
  const { compression } = location
  let receiver: PathReceiver | undefined
  const open = () => new PathReceiver({ info, compression, staging, narrowUmask, onWritten })
  // Made by the first bytes, so that what only waits for its turn holds no buffers.
  const receive = (bytes: Buffer) => {
    receiver ??= open()
    return receiver.push(bytes)
  }
  try {
    await cache.stream({ mirror, name: location.url, bytes: info.narSize, receive })
    receiver ??= open()
    await receiver.finish()
    return receiver.received
  } catch (error) {
    receiver?.abandon()
    throw error
  }
}

function onWritten(bytes: number): void {
  written += bytes
  if (written >= WRITTEN_STEP_BYTES) tell({})
}

function tell(message: { id?: number; result?: unknown; error?: WireError }): void {
  port.postMessage({ ...message, written })
  written = 0
}

function nameOf(request: WorkerRequest): string {
  if (request.kind === 'flush') return staging
  if (request.kind === 'get') return request.name
  return request.kind === 'locate' ? request.path : request.info.path
}
