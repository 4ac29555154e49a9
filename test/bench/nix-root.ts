import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** A Debian sid root with the newest Nix that Debian has, made once. */
export function nixRoot(directory: string): string {
  const target = join(directory, 'nix-sid')
  if (existsSync(join(target, 'usr/bin/nix'))) return target
  const unfinished = `${target}.new`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  // A snapshot may be older than its own expiry date allows.
  const options = ['--aptopt=Acquire::Check-Valid-Until "false"', '--variant=minbase']
  const words = [...options, '--include=nix-bin', 'sid', unfinished]
  execFileSync('mmdebstrap', words, { stdio: ['ignore', 'ignore', 'inherit'] })
  renameSync(unfinished, target)
  return target
}

/** The command line that runs a Nix program in that root; needs a mount namespace of our own. */
export function nixCommand(root: string, program: string[]): string[] {
  const settings = [
    'experimental-features = nix-command',
    'build-users-group =',
    'require-sigs = false',
    'sandbox = false',
  ]
  const env = [`NIX_CONFIG=${settings.join('\n')}`, 'HOME=/mnt/home', 'NIX_REMOTE=']
  return ['chroot', root, '/usr/bin/env', ...env, ...program]
}

export function nixVersion(root: string): string {
  const [program = '', ...words] = nixCommand(root, ['nix', '--version'])
  return execFileSync(program, words, { encoding: 'utf8' }).trim().split(' ').at(-1) ?? ''
}
