/** Prints the host's metrics as one line of JSON and ends; `metrics.ts` starts it. */
import { statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import systeminformation from 'systeminformation'
import type { Metrics } from '../codec/report.ts'

const [memory, load, disk] = await Promise.all([
  systeminformation.mem(),
  systeminformation.currentLoad(),
  statfs(process.argv[2] ?? '/'),
])
const metrics: Metrics = {
  uptimeSeconds: Math.floor(systeminformation.time().uptime),
  loadPerCore: Math.max(0, load.avgLoad / availableParallelism()),
  memoryTotal: memory.total,
  memoryUsed: memory.active,
  storeFree: disk.bavail * disk.bsize,
}
process.stdout.write(JSON.stringify(metrics))
