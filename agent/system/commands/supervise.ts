import type { Command } from '../../cli/command.ts'
import { UsageError } from '../../codec/errors.ts'
import { supervise } from '../plain-supervisor.ts'
import { plainUnit } from '../plain-unit.ts'
import { findUnit, readUnitTree } from '../unit-tree.ts'

/** `holdfast-agent layout supervise`: the process above one service of a plain root. */
export const superviseCommand: Command = {
  words: ['layout', 'supervise'],
  args: '--prefix=DIR --unit=NAME',
  summary: 'Keep one service of a plain root running (started by a switch)',
  options: { prefix: { type: 'string' }, unit: { type: 'string' } },
  optionHelp: { prefix: 'The root directory', unit: 'The service' },
  async run({ values, signal }) {
    const { prefix, unit: name } = values
    if (typeof prefix !== 'string' || typeof name !== 'string') {
      throw new UsageError('usage', 'Cannot supervise "": --prefix and --unit are needed')
    }
    const definition = findUnit(readUnitTree(prefix, ['/etc/systemd/system']), name)
    const unit = definition === undefined ? 'it is not there' : plainUnit(prefix, name, definition)
    if (typeof unit === 'string') {
      throw new UsageError('missing', `Cannot supervise "${name}": ${unit}`)
    }
    await supervise({ prefix, name, unit }, signal)
    return 0
  },
}
