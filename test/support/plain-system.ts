import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { StorePath } from '../../agent/codec/documents.ts'
import { removeTree } from '../../agent/store/staging.ts'
import { encodeLayout, type ServiceKind } from '../../agent/system/layout-file.ts'
import { plainServices } from '../../agent/system/plain-services.ts'
import { agentProgram } from './agent-program.ts'

export type SystemFiles = {
  /** Under `/etc`: a text, or `{ link }`. Units are `systemd/system/…`. */
  etc: Record<string, string | { link: string }>
  /** In the system path itself, such as `health/web.json`. */
  own?: Record<string, string>
  services?: ServiceKind
  rootfs?: StorePath
  init?: string
}

/**
 * Puts a system with these files into the store of a root, unregistered: enough to be switched to.
 */
export function makeSystem(prefix: string, name: string, files: SystemFiles): StorePath {
  const hash = createHash('sha256')
    .update(JSON.stringify([name, files]))
    .digest('hex')
    .slice(0, 32)
  const letters = hash.replaceAll('e', 'x') // Nix's alphabet has no e, o, t, u.
  const system = `/nix/store/${letters}-${name}`
  const etc = `${system}-etc`
  writeTree(join(prefix, etc), files.etc)
  const layout = encodeLayout({
    name,
    services: files.services ?? 'plain',
    ...(files.rootfs === undefined ? {} : { rootfs: files.rootfs }),
    ...(files.init === undefined ? {} : { init: files.init }),
    etc,
  })
  writeTree(join(prefix, system), { ...files.own, 'layout.json': layout.toString() })
  return system
}

/** A unit that keeps running, and is wanted at boot. `lines` go into its `[Service]` section. */
export function service(name: string, exec: string, lines: string[] = []): SystemFiles['etc'] {
  return {
    [`systemd/system/${name}`]: `[Service]\nExecStart=${exec}\n${lines.join('\n')}\n`,
    [`systemd/system/multi-user.target.wants/${name}`]: { link: `../${name}` },
  }
}

function writeTree(folder: string, files: SystemFiles['etc']): void {
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    if (typeof content === 'string') writeFileSync(path, content)
    else symlinkSync(content.link, path)
  }
}

/** A root directory whose services end before it is removed, when the test ends. */
export function plainRoot(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  t.after(async () => {
    const services = plainServices({ prefix: root, command: agentProgram })
    const names = (await services.list()).map(unit => unit.name)
    await services.stop(names.filter(name => name.endsWith('.service')))
    removeTree(root)
  })
  return root
}
