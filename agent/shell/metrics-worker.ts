import { statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import systeminformation from 'systeminformation'
import type { Metrics } from '../codec/report.ts'

const { storePath } = workerData as { storePath: string }
const [memory, load, disk] = await Promise.all([
  systeminformation.mem(),
  systeminformation.currentLoad(),
  statfs(storePath),
])
const metrics: Metrics = {
  uptimeSeconds: Math.floor(systeminformation.time().uptime),
  loadPerCore: Math.max(0, load.avgLoad / availableParallelism()),
  memoryTotal: memory.total,
  memoryUsed: memory.active,
  storeFree: disk.bavail * disk.bsize,
}
parentPort?.postMessage(metrics)
