/** Writes the reference pages that are made from code; tests compare what is on disk with them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCodes } from '../agent/codec/error-codes.ts'
import { commandsPage } from './commands-page.ts'
import { logEventsPage } from './log-events-page.ts'
import { statesPage } from './states-page.ts'

/** Page name under docs/reference → its text. */
export const generatedPages: Record<string, string> = {
  'commands.md': commandsPage(),
  'errors.md': errorsPage(),
  'log-events.md': logEventsPage(),
  'states.md': statesPage(),
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(generatedPages)) {
    writeFileSync(join(import.meta.dirname, 'reference', name), text)
  }
}

/** What a page holds on disk now. */
export function pageOnDisk(name: string): string {
  return readFileSync(join(import.meta.dirname, 'reference', name), 'utf8')
}

function errorsPage(): string {
  const rows = Object.entries(errorCodes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { meaning, next }]) => `| \`${code}\` | ${cell(meaning)} | ${cell(next)} |`)
  return `# Errors

Every error has a code that never changes its meaning. It stands behind the sentence on stderr, in
\`error.code\` with \`-o json\`, in reports and in the log. This page is made from
\`agent/codec/error-codes.ts\` by \`npm run docs\`.

| code | means | what to do |
| --- | --- | --- |
${rows.join('\n')}
`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
