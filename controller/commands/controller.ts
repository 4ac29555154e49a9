import { join } from 'node:path'
import type { Command, Invocation } from '../../agent/cli/command.ts'
import { UsageError } from '../../agent/codec/errors.ts'

export const controller: Command = {
  words: ['controller'],
  args: '--state=DIR',
  summary: 'Run the controller: enrols hosts, takes reports, shows rollouts',
  options: {
    state: { type: 'string' },
    listen: { type: 'string' },
    'open-read': { type: 'boolean' },
    fleet: { type: 'string' },
    'source-config': { type: 'string' },
    project: { type: 'string' },
  },
  optionHelp: {
    state: 'Directory for its database and operator token; made when absent',
    listen: 'Address and port; 127.0.0.1:7070 by default, port 0 takes a free one',
    'open-read': 'Let anybody who reaches the address read, for a demonstration',
    fleet: 'Enrol only hosts of this fleet; otherwise from the project or source file',
    'source-config': 'A seed file: watch the releases it names; otherwise those of holdfast.json',
    project: 'The project file, instead of the nearest holdfast.json',
  },
  run,
}

async function run({ values, positionals, print, json, signal }: Invocation) {
  const text = (key: string) => (typeof values[key] === 'string' ? values[key] : undefined)
  const directory = text('state')
  if (directory === undefined || positionals.length > 0) {
    throw new UsageError('usage', 'Cannot run "controller": it takes --state=DIR')
  }
  // Loaded here, so that the other commands start without SQLite, HTTP server and log.
  const { startController } = await import('../server.ts')
  const { openLog } = await import('../log.ts')
  const { watchConfig, watchReleases } = await import('../release-watch.ts')
  const config = watchConfig(text('source-config'), text('project'))
  const fleet = text('fleet') ?? config.fleet
  const log = openLog()
  const running = await startController({
    directory,
    listen: text('listen') ?? '127.0.0.1:7070',
    openRead: values['open-read'] === true,
    log,
    ...(fleet !== undefined && { fleet }),
  })
  const tokenFile = join(directory, 'operator.token')
  const watch =
    config.watch &&
    watchReleases({ config: config.watch, fleet: running.fleet, log, scratch: directory })
  print(json ? { url: running.url, tokenFile } : running.url)
  log.info({
    event: 'controller.started',
    url: running.url,
    tokenFile,
    watches: config.watch?.channel,
  })
  await new Promise<void>(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await watch?.close()
  await running.close()
  log.info({ event: 'controller.stopped' })
  return 0 as const
}
