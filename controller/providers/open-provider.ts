import { fileURLToPath } from 'node:url'
import { UsageError } from '../../agent/codec/errors.ts'
import { openNspawnProvider } from './nspawn.ts'
import { openPlainProvider } from './plain.ts'
import type { Provider } from './provider.ts'

export const providerNames = ['nspawn', 'plain'] as const

/** The provider of that name; its hosts lie in `directory`. */
export function openProvider(name: string, directory: string): Provider {
  if (name === 'nspawn') return openNspawnProvider(directory)
  if (name === 'plain') return openPlainProvider(directory, agentWords())
  throw new UsageError('usage', `Cannot use provider "${name}": there is none of that name`, {
    next: `Use one of ${providerNames.join(', ')}`,
  })
}

/**
 * What starts `holdfast-agent` on this machine: from source, or from the bundle beside this one.
 */
function agentWords(): string[] {
  const file = import.meta.url.endsWith('.ts') ? '../../agent/main.ts' : 'agent/holdfast-agent.js'
  return [process.execPath, fileURLToPath(new URL(file, import.meta.url))]
}
