import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StorePath } from '../codec/documents.ts'
import { readLayout } from './layout-file.ts'
import { resolveRooted } from './rooted-path.ts'
import { runProgram } from './systemctl.ts'

/**
 * Applies what the new system says differently about users (`sysusers.d`) and temporary files
 * (`tmpfiles.d`). A boot does all of it anyway; a switch only what changed. Answers complaints.
 */
export async function applyTmpfiles(
  prefix: string,
  from: StorePath | undefined,
  to: StorePath,
): Promise<string[]> {
  const complaints: string[] = []
  for (const [folder, program, words] of steps) {
    const path = join('/usr/bin', program)
    if (!existsSync(path) || said(prefix, from, folder) === said(prefix, to, folder)) continue
    const done = await runProgram(path, words)
    // 65 and 73: lines that it did not understand or could not do, which a boot tolerates as well.
    if (done.exitCode !== 0) complaints.push(`${program}: ${done.stderr.trim()}`)
  }
  return complaints
}

const steps: [folder: string, program: string, words: string[]][] = [
  ['sysusers.d', 'systemd-sysusers', []],
  ['tmpfiles.d', 'systemd-tmpfiles', ['--create', '--exclude-prefix=/dev']],
]

/** All that a system has in `folder`, for comparing. */
function said(prefix: string, system: StorePath | undefined, folder: string): string {
  if (system === undefined) return ''
  try {
    const { etc, rootfs } = readLayout(prefix, system)
    const places = [`${etc}/${folder}`, ...(rootfs ? [`${rootfs}/usr/lib/${folder}`] : [])]
    return JSON.stringify(places.map(place => contents(resolveRooted(prefix, place))))
  } catch {
    return '' // Gone or of another layout: then all is new.
  }
}

function contents(folder: string): [string, string][] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .filter(name => name.endsWith('.conf'))
    .map(name => [name, textOf(join(folder, name))])
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
