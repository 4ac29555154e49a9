import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { needs } from './needs.ts'

/** Bump the number when the words below change: the cached root is then made anew. */
const NAME = 'debian-rootfs-1'
const PACKAGES = ['systemd', 'systemd-sysv', 'dbus', 'iproute2']
/** Documentation and translations: a third of the bytes, and nothing that boots. */
const LEFT_OUT = [
  '/usr/share/man/*',
  '/usr/share/doc/*',
  '/usr/share/locale/*',
  '/usr/share/info/*',
]

/**
 * A Debian root file system with systemd, made once per machine by mmdebstrap (20 s to a minute)
 * and kept in `$HOLDFAST_CACHE` or `~/.cache/holdfast`. Made beside and renamed, so that a maker
 * who was cut leaves nothing that looks whole, and of two makers at once the first one's root
 * counts.
 */
export async function debianRootfs(say: (line: string) => void = () => {}): Promise<string> {
  const cache = process.env.HOLDFAST_CACHE ?? join(homedir(), '.cache/holdfast')
  const rootfs = join(cache, NAME)
  if (existsSync(rootfs)) return rootfs
  needs('mmdebstrap')
  mkdirSync(cache, { recursive: true })
  removeAbandoned(cache)
  const scratch = mkdtempSync(join(cache, `.${NAME}.${process.pid}.`))
  try {
    say('making a Debian root file system (once per machine)')
    await mmdebstrap(join(scratch, 'root'))
    try {
      renameSync(join(scratch, 'root'), rootfs)
    } catch (error) {
      if (!existsSync(rootfs)) throw error // Another maker was first; its root is as good.
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return rootfs
}

/** What makers left behind whose process is gone. */
function removeAbandoned(cache: string): void {
  for (const name of readdirSync(cache)) {
    const maker = new RegExp(`^\\.${NAME}\\.(\\d+)\\.`).exec(name)?.[1]
    if (maker === undefined || existsSync(`/proc/${maker}`)) continue
    rmSync(join(cache, name), { recursive: true, force: true })
  }
}

async function mmdebstrap(target: string): Promise<void> {
  const child = spawn(
    'mmdebstrap',
    [
      '--quiet',
      '--variant=minbase',
      `--include=${PACKAGES.join(',')}`,
      '--format=directory',
      '--aptopt=Apt::Install-Recommends "false"',
      ...LEFT_OUT.map(path => `--dpkgopt=path-exclude=${path}`),
      'bookworm',
      target,
      ...mirrors(),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const said: Buffer[] = []
  child.stderr.on('data', chunk => said.push(chunk))
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code === 0) return
  const tail = Buffer.concat(said).toString().split('\n').slice(-12).join('\n')
  throw new Error(`Cannot make a Debian root file system: mmdebstrap failed:\n${tail}`)
}

/** The machine's own mirror where it runs the same Debian; otherwise mmdebstrap's default. */
function mirrors(): string[] {
  const mirror = process.env.HOLDFAST_DEBIAN_MIRROR
  if (mirror !== undefined) return [mirror]
  for (const file of ['/etc/apt/sources.list', '/etc/apt/sources.list.d/debian.sources']) {
    if (!existsSync(file)) continue
    const found = /https?:\/\/\S+\/debian\/?(?=\s)/.exec(readFileSync(file, 'utf8'))?.[0]
    if (found !== undefined && !found.includes('snapshot')) return [found]
  }
  return []
}
