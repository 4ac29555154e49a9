#!/usr/bin/env node
/**
 * Where `dist/holdfast.js` begins: distributions ship Nodes that cannot even read the program, and
 * say so in words that help nobody. So nothing is imported before the version is known, and this
 * file keeps to what any Node can read.
 */
const NODE_MAJOR_MIN = 24

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) await import('./main.ts')
else refuse()

function refuse(): void {
  const node = new URL('../node_modules/.bin/node', import.meta.url).pathname
  const is = `Holdfast needs ${NODE_MAJOR_MIN} or newer`
  const message = `Cannot run on Node ${process.versions.node}: ${is}`
  const next = `Run it with ${decodeURIComponent(node)}, which npm ci installs`
  const json = /(^| )(-o ?|--output[= ])json( |$)/.test(process.argv.slice(2).join(' '))
  const error = { code: 'old-node', message, next }
  if (json) process.stdout.write(`${JSON.stringify({ error })}\n`)
  process.stderr.write(`holdfast: ${message} [${error.code}]\n  ${next}\n`)
  process.exitCode = 2
}
