import { spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { UsageError } from '../agent/codec/errors.ts'
import type { LauncherOptions, Machine } from './launcher.ts'

/** Node and all that it loads, as found on this machine. */
export type Runtime = {
  machine: Machine
  node: string
  /** The dynamic loader that the program asks for. */
  loader: string
  /** What the loader finds for it, the loader itself not among them. */
  libraries: string[]
}

const machines: Record<number, Machine> = { 62: 'x86_64', 183: 'aarch64' }
const ELF_HEADER_SIZE = 64
const PT_INTERP = 3

/**
 * Finds the Node that agents are to run on: the one that npm installed beside Holdfast, or else
 * the one that runs now. Errors: UsageError `config` for a program that is not a dynamic glibc
 * one.
 */
export function findRuntime(node = defaultNode()): Runtime {
  const { machine, loader } = readProgram(node)
  const listed = spawnSync(loader, ['--list', node], { encoding: 'utf8' })
  if (listed.status !== 0) throw unusable(node, `${loader} cannot list its libraries`)
  const lines = listed.stdout.split('\n')
  const absent = lines.find(line => line.includes('not found'))
  if (absent !== undefined) throw unusable(node, `its library is missing: ${absent.trim()}`)
  const libraries = lines
    .map(line => / => (\/\S+)/.exec(line)?.[1])
    .filter(path => path !== undefined && basename(path) !== basename(loader)) as string[]
  return { machine, node, loader, libraries: libraries.sort() }
}

/** Every file that a runtime is made of, for telling whether it is the same as last time. */
export function runtimeFiles(runtime: Runtime): string[] {
  return [runtime.node, runtime.loader, ...runtime.libraries]
}

/**
 * Lays out what becomes the runtime's store path: `libexec/node`, and the loader and libraries in
 * `lib`. The program is copied as it is: stripping it would make the path depend on one more tool.
 */
export function composeRuntime(runtime: Runtime, directory: string): void {
  mkdirSync(join(directory, 'libexec'), { recursive: true })
  mkdirSync(join(directory, 'lib'))
  copyFileSync(runtime.node, join(directory, 'libexec/node'))
  for (const file of [runtime.loader, ...runtime.libraries]) {
    copyFileSync(file, join(directory, 'lib', basename(file)))
  }
}

/**
 * The launcher that starts Node from the runtime in `path`, whatever the root around it holds: by
 * the runtime's own loader, with its own libraries, and without the cache of the root's.
 */
export function nodeLauncher(runtime: Runtime, path: string): LauncherOptions {
  const lib = join(path, 'lib')
  const loader = join(lib, basename(runtime.loader))
  const words = ['--inhibit-cache', '--library-path', lib, join(path, 'libexec/node')]
  return { machine: runtime.machine, path: loader, argv: [loader, ...words] }
}

function defaultNode(): string {
  try {
    const require = createRequire(import.meta.url)
    const installed = join(dirname(require.resolve('node/package.json')), 'bin/node')
    if (existsSync(installed)) return realpathSync(installed)
  } catch {
    // Installed without its development packages: the Node that runs us is as good.
  }
  return realpathSync(process.execPath)
}

/** Reads machine and interpreter from the ELF headers. */
function readProgram(file: string): { machine: Machine; loader: string } {
  const handle = openSync(file, 'r')
  try {
    const header = readAt(handle, 0, ELF_HEADER_SIZE)
    if (header.toString('latin1', 0, 4) !== '\x7fELF') throw unusable(file, 'it is no ELF program')
    const machine = machines[header.readUInt16LE(18)]
    if (machine === undefined) throw unusable(file, 'it is neither for x86-64 nor for aarch64')
    const [size, count] = [header.readUInt16LE(54), header.readUInt16LE(56)]
    const table = readAt(handle, Number(header.readBigUInt64LE(32)), size * count)
    for (let at = 0; at + size <= table.length; at += size) {
      if (table.readUInt32LE(at) !== PT_INTERP) continue
      const offset = Number(table.readBigUInt64LE(at + 8))
      const length = Number(table.readBigUInt64LE(at + 32))
      const loader = readAt(handle, offset, length).toString('latin1').replace(/\0.*$/, '')
      return { machine, loader: checkedLoader(file, loader) }
    }
    throw unusable(file, 'it names no dynamic loader')
  } finally {
    closeSync(handle)
  }
}

function checkedLoader(file: string, loader: string): string {
  if (!basename(loader).startsWith('ld-linux')) throw unusable(file, `it is not made for glibc`)
  if (!existsSync(loader)) throw unusable(file, `its loader "${loader}" is not on this machine`)
  return loader
}

function readAt(handle: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  const read = readSync(handle, bytes, 0, length, offset)
  return bytes.subarray(0, read)
}

function unusable(node: string, is: string): UsageError {
  return new UsageError('config', `Cannot pack the Node program "${node}": ${is}`, {
    next: 'Run npm ci in the Holdfast folder, which installs a Node that can be packed',
  })
}
