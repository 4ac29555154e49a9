import type { Status } from '../codec/report.ts'

/** The status for people: one fact a line, what matters first. */
export function statusText(status: Status): string {
  const { release, target, running, committed, generation } = status
  const version = release === undefined ? 'none' : `${release.version} (epoch ${release.epoch})`
  const lines: [name: string, value: string | undefined][] = [
    ['host', `${status.host} of ${status.fleet}, channel ${status.channel}`],
    ['health', `${status.health}${status.stale ? ', stale' : ''}`],
    ['phase', status.phase],
    ['message', status.message],
    ['release', version],
    ['target', target],
    ['running', running],
    ['committed', committed && `${committed} (generation ${generation})`],
    ...status.sources.map(({ name, ok, message }): [string, string] => [
      'source',
      `${name}: ${ok ? 'ok' : (message ?? 'failed')}`,
    ]),
    ...status.rejected.map(
      ({ release: { epoch, version: refused }, code, at }): [string, string] => [
        'rejected',
        `${refused} (epoch ${epoch}) at ${at}: ${code}`,
      ],
    ),
  ]
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name.padEnd(10)} ${value}`)
    .join('\n')
}
