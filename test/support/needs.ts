import assert from 'node:assert/strict'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const packages: Record<string, string> = {
  'nix-store': 'nix-bin',
  nix: 'nix-bin',
  'ssh-keygen': 'openssh-client',
  'systemd-nspawn': 'systemd-container',
  mmdebstrap: 'mmdebstrap',
  ip: 'iproute2',
  git: 'git',
  busybox: 'busybox-static',
}

/** Fails the test, naming the Debian package to install, when a program it needs is not there. */
export function needs(...programs: string[]): void {
  for (const program of programs) {
    const found = (process.env.PATH ?? '')
      .split(delimiter)
      .some(folder => executable(join(folder, program)))
    assert.ok(
      found,
      `this test needs "${program}": apt-get install ${packages[program] ?? program}`,
    )
  }
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
