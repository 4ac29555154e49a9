import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command, Invocation } from '../../agent/cli/command.ts'
import { formatBytes, progress } from '../../agent/cli/progress.ts'
import { UsageError } from '../../agent/codec/errors.ts'
import { writeDurably } from '../../agent/files/durable.ts'
import { openStore } from '../../agent/store/open-store.ts'
import type { Store } from '../../agent/store/store.ts'
import { listOption, parseExpiry, textOption } from '../command-words.ts'
import { readProject } from '../project.ts'
import { asOperatorError, type PublishResult, publish as publishRelease } from '../publish.ts'
import { formatChanges, type Wanted } from '../release-diff.ts'
import { resolveSystem } from '../resolve-system.ts'

export const publish: Command = {
  words: ['publish'],
  args: '[HOST=SYSTEM …] [--all=SYSTEM] [--remove=HOST] [--dry-run]',
  summary: 'Sign and push the next release; publish an older system to roll back',
  options: {
    all: { type: 'string' },
    remove: { type: 'string', multiple: true },
    'dry-run': { type: 'boolean', default: false },
    expires: { type: 'string', default: '30d' },
    unsigned: { type: 'string' },
    document: { type: 'string' },
    signature: { type: 'string', multiple: true },
    'trust-previous': { type: 'boolean', default: false },
    message: { type: 'string', short: 'm' },
    project: { type: 'string' },
  },
  optionHelp: {
    all: 'The system for every host that is in the release',
    remove: 'A host to leave out from now on; repeat for more',
    'dry-run': 'Show what would change, host by host, and change nothing',
    expires: 'From now, or a date: 30d, 12h, 2027-01-31 (default: 30d)',
    unsigned: 'Write the document to this file for signing elsewhere, and publish nothing',
    document: 'Publish the document of that file, with --signature',
    signature: 'File that ssh-keygen -Y sign -n holdfast-release made; repeat for more',
    'trust-previous': 'Go on from a release that only an older root vouches for',
    message: 'Of the git commit',
    project: 'The project file (default: holdfast.json, here or above)',
  },
  run: invocation => asOperatorError(() => run(invocation)),
}

async function run(invocation: Invocation): Promise<0> {
  const { values, positionals, signal } = invocation
  const project = readProject(textOption(values, 'project'))
  const document = textOption(values, 'document')
  refuseMixture(invocation)
  const store = openStore(project.store, { readOnly: true, create: false })
  const bar = progress('Writing the cache', 0, { format: formatBytes })
  try {
    const message = textOption(values, 'message')
    const result = await publishRelease({
      project,
      store,
      wanted: readWanted(values, positionals, store),
      expires: parseExpiry(textOption(values, 'expires') ?? '30d', Date.now()),
      dryRun: values['dry-run'] === true,
      unsigned: values.unsigned !== undefined,
      signatureFiles: listOption(values, 'signature'),
      trustPrevious: values['trust-previous'] === true,
      ...(document !== undefined && { prepared: readFileSync(document) }),
      ...(message !== undefined && { message }),
      signal,
      onProgress: ({ bytes, bytesMax }) => {
        bar.update(bytes, bytesMax)
        if (bytes >= bytesMax) bar.end()
      },
    })
    show(invocation, result)
    return 0
  } finally {
    store.close()
  }
}

function refuseMixture({ values, positionals }: Invocation): void {
  const { document, unsigned, all } = values
  const changes = positionals.length > 0 || all !== undefined || values.remove !== undefined
  const refuse = (is: string) => {
    throw new UsageError('usage', `Cannot run "publish": ${is}`)
  }
  if (document !== undefined && (changes || unsigned !== undefined)) {
    refuse('--document is published as it is, so it takes no hosts and no --unsigned')
  }
  if (values.signature !== undefined && document === undefined) {
    refuse('--signature is of a document: name it with --document')
  }
}

function readWanted(values: Invocation['values'], words: string[], store: Store): Wanted {
  const assign = new Map<string, string>()
  for (const word of words) {
    const [, host, system] = /^([^=]+)=(.+)$/s.exec(word) ?? []
    if (host === undefined || system === undefined) {
      throw new UsageError('usage', `Cannot publish "${word}": it is not HOST=SYSTEM`)
    }
    if (assign.has(host)) {
      throw new UsageError('usage', `Cannot publish "${word}": the host is named twice`)
    }
    assign.set(host, resolveSystem(system, store))
  }
  const all = textOption(values, 'all')
  const remove = listOption(values, 'remove')
  return { assign, remove, ...(all !== undefined && { all: resolveSystem(all, store) }) }
}

function show({ values, json, print, say }: Invocation, result: PublishResult): void {
  const { release, hosts, cost, commit, bytes } = result
  const { channel, epoch, version, expires } = release
  const unsigned = textOption(values, 'unsigned')
  if (unsigned !== undefined) writeDurably(resolve(unsigned), bytes, 0o644)
  if (json) {
    const published = commit !== undefined
    const data = { published, commit, channel, epoch, version, expires, hosts, cache: cost }
    print({ ...data, ...(unsigned !== undefined && { document: resolve(unsigned) }) })
    return
  }
  const dry = values['dry-run'] === true ? ' (dry run: nothing was changed)' : ''
  print(`Release ${version} of ${channel}, until ${expires}${dry}`)
  for (const line of formatChanges(hosts)) print(line)
  const size = formatBytes(cost.newNarBytes)
  print(`${cost.paths} paths, ${cost.newPaths} new in the cache: ${size} before compression`)
  if (commit !== undefined) {
    print(`Pushed ${commit.slice(0, 12)}`)
    say(`Watch it:   holdfast status --watch --release=${version}`)
  }
  if (unsigned === undefined) return
  say(`Sign it:    ssh-keygen -Y sign -n holdfast-release -f KEY ${unsigned}`)
  say(`Then:       holdfast publish --document=${unsigned} --signature=${unsigned}.sig`)
}
