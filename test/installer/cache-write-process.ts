/** Writes a cache, and is killed after a number of paths: what a power cut or a person does. */
import { openStore } from '../../agent/store/open-store.ts'
import { writeCache } from '../../installer/cache-write.ts'

const [root = '', directory = '', system = '', paths = ''] = process.argv.slice(2)
const store = openStore(root, { create: false })
const onProgress = ({ done }: { done: number }) => {
  if (done === Number(paths)) process.kill(process.pid, 'SIGKILL')
}
await writeCache({ store, systems: [system], directory, onProgress })
