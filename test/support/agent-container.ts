import { cpSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { bootContainer, type Container } from './container.ts'
import { debianRootfs } from './debian-rootfs.ts'
import { needs } from './needs.ts'
import { temporaryDirectory } from './temporary.ts'

const top = dirname(dirname(import.meta.dirname))

/** Boots a plain Debian with this source tree and its Node in `/holdfast`. */
export async function bootAgentContainer(t: TestContext): Promise<Container> {
  needs('systemd-nspawn', 'nsenter')
  const root = join(temporaryDirectory(t), 'root')
  cpSync(await debianRootfs(), root, { recursive: true, verbatimSymlinks: true })
  mkdirSync(join(root, 'holdfast'))
  for (const folder of ['agent', 'test']) {
    cpSync(join(top, folder), join(root, 'holdfast', folder), { recursive: true })
  }
  cpSync(join(top, 'package.json'), join(root, 'holdfast/package.json'))
  cpSync(process.execPath, join(root, 'holdfast/node'))
  const container = await bootContainer({
    root,
    init: '/usr/lib/systemd/systemd',
    name: `agent-${process.pid}`,
  })
  t.after(() => container.cutPower())
  await container.started()
  return container
}

/** Runs a file of tests inside; throws with its whole output when one failed or none ran. */
export function runInside(container: Container, file: string): string {
  const words = ['--disable-warning=ExperimentalWarning', '--test-reporter=spec']
  const output = container.run('/holdfast/node', ...words, `/holdfast/${file}`)
  if (!/^ℹ fail 0$/m.test(output) || !/^ℹ pass [1-9]/m.test(output)) {
    throw new Error(`tests inside the container failed:\n${output}\n${container.console()}`)
  }
  return output
}
