/** The build files of the demo's releases: one web service, and what changes around it. */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type DemoMode = 'nspawn' | 'plain'

/** What one release of the demo's system looks like. */
type Recipe = {
  greeting: string
  motd: string
  /** Beside `web`, `steady` and the agent. */
  extra: 'old' | 'fresh'
  sick?: boolean
  /** A unit that takes its time to start, so that power can be cut in the middle of the switch. */
  slow?: boolean
}

export const recipes: Record<number, Recipe> = {
  1: { greeting: 'hello from release 1', motd: 'one', extra: 'old' },
  2: { greeting: 'hello from release 2', motd: 'two', extra: 'fresh' },
  3: { greeting: 'hello from release 3', motd: 'three', extra: 'fresh', sick: true },
  4: { greeting: 'hello from release 4', motd: 'four', extra: 'fresh' },
  5: { greeting: 'hello from release 5', motd: 'five', extra: 'fresh', slow: true },
}

/** Seconds that the slow unit of release 5 takes to start. */
const SLOW_SECONDS = 4

/** Writes the build file of release `number` and returns its path. */
export function writeSystem(options: {
  directory: string
  number: number
  mode: DemoMode
  rootfs?: string
}): string {
  const { directory, number, mode, rootfs } = options
  const recipe = recipes[number]
  if (recipe === undefined) throw new RangeError(`the demo has no release ${number}`)
  const folder = join(directory, `release-${number}`)
  for (const name of ['units', 'etc', 'health', 'web/bin']) {
    mkdirSync(join(folder, name), { recursive: true })
  }
  copyFileSync(join(import.meta.dirname, 'server.pl'), join(folder, 'web/bin/server'))
  chmodSync(join(folder, 'web/bin/server'), 0o755)
  writeFileSync(join(folder, 'etc/demo-motd'), `This is release ${recipe.motd}.\n`)
  for (const [name, text] of Object.entries(units(recipe, mode))) {
    writeFileSync(join(folder, 'units', name), text)
  }
  writeFileSync(join(folder, 'health/web.json'), JSON.stringify(probe(mode)))
  const file = join(folder, 'build.json')
  writeFileSync(file, JSON.stringify(buildFile(mode, rootfs), null, 2))
  return file
}

function buildFile(mode: DemoMode, rootfs: string | undefined): object {
  const base = {
    name: 'demo',
    services: mode === 'nspawn' ? 'systemd' : 'plain',
    packages: { web: 'web' },
    units: 'units',
    etc: 'etc',
    health: 'health',
    agent: agentConfig,
  }
  return mode === 'nspawn' ? { ...base, rootfs, init: '/usr/lib/systemd/systemd' } : base
}

/** A demo is watched: it polls and probes far more often than the defaults do. */
const agentConfig = {
  poll: { cron: '*/2 * * * * *', jitterSeconds: 1 },
  switch: {
    deadlineSeconds: 60,
    probe: { passes: 2, intervalSeconds: 1, windowSeconds: 6 },
  },
  report: { intervalSeconds: 2 },
}

function units(recipe: Recipe, mode: DemoMode): Record<string, string> {
  const listen = mode === 'nspawn' ? 'Environment=LISTEN=0.0.0.0:8080\n' : ''
  const health = recipe.sick ? 'Environment=HEALTH=sick\n' : ''
  const named: Record<string, string> = {
    'web.service': service('The service that people use', {
      run: '@web@/bin/server',
      lines: `Environment="GREETING=${recipe.greeting}"\n${listen}${health}`,
    }),
    'steady.service': service('What no release touches', { run: '/bin/sleep infinity' }),
    [`${recipe.extra}.service`]: service(`The ${recipe.extra} helper`, {
      run: '/bin/sleep infinity',
    }),
  }
  if (recipe.slow) {
    const run = `/bin/sleep ${SLOW_SECONDS}`
    named['migrate.service'] = service('A slow migration', {
      run,
      lines: 'Type=oneshot\nRemainAfterExit=yes\n',
    })
  }
  return named
}

function service(description: string, options: { run: string; lines?: string }): string {
  return `[Unit]
Description=${description}

[Service]
ExecStart=${options.run}
${options.lines ?? ''}
[Install]
WantedBy=multi-user.target
`
}

/** Plain hosts share one network, so there the service listens on a socket file of its own. */
function probe(mode: DemoMode): object {
  if (mode === 'nspawn') return { kind: 'http', url: 'http://127.0.0.1:8080/', timeoutSeconds: 2 }
  const request = [
    'use IO::Socket::UNIX;',
    'my $s = IO::Socket::UNIX->new($ENV{HOLDFAST_PREFIX} . "/run/demo-web.sock") or exit 1;',
    'print $s "GET / HTTP/1.1\\r\\n\\r\\n";',
    'exit(<$s> =~ /200/ ? 0 : 1)',
  ].join(' ')
  return { kind: 'exec', command: ['/usr/bin/perl', '-e', request], timeoutSeconds: 2 }
}
