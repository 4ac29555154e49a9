import type { Invocation } from '../../cli/command.ts'
import { UsageError } from '../../codec/errors.ts'
import { placesOf } from '../places.ts'

export const prefixOption = { prefix: { type: 'string', default: '/' } } as const
export const prefixHelp = { prefix: 'The root directory of the host; / on the host itself' }

export function textOf(values: Invocation['values'], name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

export function socketOf(values: Invocation['values']): string {
  return placesOf(textOf(values, 'prefix') ?? '/').socket
}

export function refuseWords(command: string, positionals: string[]): void {
  if (positionals.length === 0) return
  throw new UsageError('usage', `Cannot run "${command}": it takes no "${positionals[0]}"`)
}
