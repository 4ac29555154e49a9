/**
 * An agent that dies at one chosen moment: after an effect, after a durable write, or in the middle
 * of one. `layout …` is what its own activations start.
 */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { runCommand } from '../../agent/cli/command.ts'
import { syncDirectory, writeDurably } from '../../agent/files/durable.ts'
import { Agent } from '../../agent/shell/agent.ts'
import type { WriteFile } from '../../agent/shell/journal.ts'
import { openParts } from '../../agent/shell/parts.ts'
import { activateCommand } from '../../agent/system/commands/activate.ts'
import { superviseCommand } from '../../agent/system/commands/supervise.ts'
import * as switchTo from '../../agent/system/commands/switch-to-configuration.ts'

export type PowerOrder = {
  prefix: string
  /** Which moment is the last one, counted from 0; −1 lives on. */
  killAt: number
  /** The image under the prefix is copied at that moment as it is on its disk. */
  cut?: { backing: string; copy: string }
  /** How the journal is written: as it is, or with a protection taken out. */
  writer: 'durable' | 'without fsync' | 'without rename'
  /** Outside the image: one line for each moment. */
  notes: string
  probe: { passes: number; intervalSeconds: number; windowSeconds: number }
}

/** What was promised to be durable at a moment. */
export type Note = { moment: string; floor: number; phase: string; sequence: number }

async function main(words: string[]): Promise<void> {
  if (words[0] === 'layout') {
    const commands = [activateCommand, superviseCommand, switchTo.switchToConfigurationCommand]
    process.exitCode = await runCommand('holdfast-agent', commands, words)
    return
  }
  await live(JSON.parse(words[0]!) as PowerOrder)
}

async function live(order: PowerOrder): Promise<void> {
  const promised = { floor: 0, phase: 'Idle', sequence: 0 }
  let moments = 0
  const moment = (name: string) => {
    appendFileSync(order.notes, `${JSON.stringify({ moment: name, ...promised })}\n`)
    if (moments++ === order.killAt) die(order)
  }
  const write: WriteFile = (path, bytes) => {
    const isJournal = basename(path) === 'state.json'
    const halfway = () => moment(`half of ${basename(path)}`)
    writers[isJournal ? order.writer : 'durable'](path, bytes, halfway)
    if (basename(path).startsWith('floor.')) promised.floor = floorVersion(bytes)
    if (isJournal) Object.assign(promised, journalHead(bytes))
    moment(`${basename(path)}${isJournal ? ` ${promised.phase}` : ''}`)
  }
  const parts = openParts({ prefix: order.prefix, write })
  parts.config.switch.probe = order.probe
  const agent = new Agent(parts, { afterEffect: ({ kind }) => moment(`effect ${kind}`) })
  await agent.start()
  await agent.settled()
  await agent.poll(true)
  await agent.settled()
  await agent.close()
}

type Writer = (path: string, bytes: Buffer, halfway: () => void) => void

/** Each may be on the disk half at any time: the kernel writes back when it likes. */
const writers: Record<PowerOrder['writer'], Writer> = {
  durable(path, bytes, halfway) {
    writeHalf(`${path}.half`, bytes)
    halfway()
    writeDurably(path, bytes)
  },
  'without fsync'(path, bytes) {
    const handle = openSync(`${path}.new`, 'w', 0o600)
    writeSync(handle, bytes)
    closeSync(handle)
    renameSync(`${path}.new`, path)
  },
  'without rename'(path, bytes, halfway) {
    writeHalf(path, bytes)
    halfway()
    const handle = openSync(path, 'w', 0o600)
    writeSync(handle, bytes)
    fsyncSync(handle)
    closeSync(handle)
    syncDirectory(dirname(path))
  },
}

function writeHalf(path: string, bytes: Buffer): void {
  const handle = openSync(path, 'w', 0o600)
  writeSync(handle, bytes.subarray(0, bytes.length >> 1))
  fsyncSync(handle)
  closeSync(handle)
}

function die({ cut }: PowerOrder): never {
  if (cut !== undefined) copyFileSync(cut.backing, cut.copy)
  process.kill(process.pid, 'SIGKILL')
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

function floorVersion(bytes: Buffer): number {
  return (JSON.parse(bytes.toString().split('\n')[0]!) as { version: number }).version
}

function journalHead(bytes: Buffer): { phase: string; sequence: number } {
  const { step, sequence } = JSON.parse(bytes.toString().split('\n')[0]!)
  return { phase: step.phase, sequence }
}

if (process.argv[1] === import.meta.filename) await main(process.argv.slice(2))
