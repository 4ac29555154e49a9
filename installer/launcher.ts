/**
 * Writes launchers: static ELF programs of a few hundred bytes that start another program with
 * fixed words before the caller's own. In a root that holds nothing but a store, nothing dynamic
 * can start: there is no /lib64 for the kernel to find the interpreter in. A launcher needs
 * nothing.
 *
 *   launcher a b   becomes   execve(path, [...argv, 'a', 'b'], environment)
 *
 * The word `execfn` stands for the path by which the kernel was asked to start the launcher
 * (AT_EXECFN), so that a program learns which system it belongs to without naming its own store
 * path.
 *
 * The file is one loadable segment: ELF header, program headers, code, strings. The new argument
 * vector is built downwards from the slot of argv[0]; what follows it on the stack is already
 * right.
 */
export type Machine = 'x86_64' | 'aarch64'

/** A fixed word, or the path that the launcher was started by. */
export type LauncherWord = string | { word: 'execfn' }

export const EXECFN: LauncherWord = { word: 'execfn' }

export type LauncherOptions = {
  machine: Machine
  /** Absolute path of the program to start. */
  path: string
  /** argv[0] and all that comes before the caller's own words. */
  argv: LauncherWord[]
}

/** Where things lie in the launcher's memory, for the code that names them. */
type Addresses = {
  path: number
  /** One per word; undefined for execfn. */
  words: (number | undefined)[]
  message: number
  messageSize: number
}

/** `bytes` holds the routine for failure first, then from `entry` on the rest. */
type Code = { bytes: Buffer; entry: number }

const BASE = 0x400000
const HEADER_SIZE = 64
const PROGRAM_HEADER_SIZE = 56
const CODE_OFFSET = HEADER_SIZE + 2 * PROGRAM_HEADER_SIZE
const machines = {
  x86_64: { elfNumber: 62, code: codeX8664 },
  aarch64: { elfNumber: 183, code: codeAarch64 },
}

/** The bytes of a launcher; the same options give the same bytes. */
export function launcherElf(options: LauncherOptions): Buffer {
  const { machine, path, argv } = options
  const { elfNumber, code } = machines[machine]
  const message = `holdfast: Cannot start "${path}": it is not there or cannot be executed\n`
  // The length of the code depends on the number of words only: a first pass measures it.
  const nowhere = { path: 0, words: argv.map(zeroForString), message: 0, messageSize: 0 }
  const strings = new StringTable(BASE + CODE_OFFSET + code(nowhere).bytes.length)
  const { bytes, entry } = code({
    path: strings.add(path),
    words: argv.map(word => (typeof word === 'string' ? strings.add(word) : undefined)),
    message: strings.add(message),
    messageSize: Buffer.byteLength(message),
  })
  const body = Buffer.concat([bytes, strings.bytes()])
  const header = elfHeader({ elfNumber, entry: BASE + CODE_OFFSET + entry, size: body.length })
  return Buffer.concat([header, body])
}

function zeroForString(word: LauncherWord): number | undefined {
  return typeof word === 'string' ? 0 : undefined
}

class StringTable {
  readonly #parts: Buffer[] = []
  #end: number

  constructor(start: number) {
    this.#end = start
  }

  /** Answers the address that the string will have. */
  add(text: string): number {
    const address = this.#end
    const part = Buffer.from(`${text}\0`)
    this.#parts.push(part)
    this.#end += part.length
    return address
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

function elfHeader(file: { elfNumber: number; entry: number; size: number }): Buffer {
  const header = Buffer.alloc(CODE_OFFSET)
  header.write('\x7fELF', 'latin1')
  header.set([2, 1, 1], 4) // 64 bits, little-endian, version 1.
  header.writeUInt16LE(2, 16) // An executable at fixed addresses.
  header.writeUInt16LE(file.elfNumber, 18)
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(BigInt(file.entry), 24)
  header.writeBigUInt64LE(BigInt(HEADER_SIZE), 32)
  header.writeUInt16LE(HEADER_SIZE, 52)
  header.writeUInt16LE(PROGRAM_HEADER_SIZE, 54)
  header.writeUInt16LE(2, 56)
  writeProgramHeader(header.subarray(HEADER_SIZE), {
    type: 1, // PT_LOAD
    flags: 5, // Read and execute: the only memory written is the stack.
    address: BASE,
    size: CODE_OFFSET + file.size,
    align: 0x10000, // The largest page of aarch64.
  })
  writeProgramHeader(header.subarray(HEADER_SIZE + PROGRAM_HEADER_SIZE), {
    type: 0x6474e551, // PT_GNU_STACK: the stack is not executable.
    flags: 6,
    address: 0,
    size: 0,
    align: 16,
  })
  return header
}

type ProgramHeader = { type: number; flags: number; address: number; size: number; align: number }

function writeProgramHeader(into: Buffer, header: ProgramHeader): void {
  into.writeUInt32LE(header.type, 0)
  into.writeUInt32LE(header.flags, 4)
  into.writeBigUInt64LE(BigInt(header.address), 16)
  into.writeBigUInt64LE(BigInt(header.address), 24)
  into.writeBigUInt64LE(BigInt(header.size), 32)
  into.writeBigUInt64LE(BigInt(header.size), 40)
  into.writeBigUInt64LE(BigInt(header.align), 48)
}

function codeX8664(at: Addresses): Code {
  const fail = Buffer.concat([
    movX86('edi', 2),
    movX86('esi', at.message),
    movX86('edx', at.messageSize),
    movX86('eax', 1), // write
    Buffer.from('0f05', 'hex'),
    movX86('edi', 127),
    movX86('eax', 231), // exit_group
    Buffer.from('0f05', 'hex'),
  ])
  const start = Buffer.from('4889e3' + '488b03' + '4885c0', 'hex') // rbx = rsp; rax = argc; 0?
  const branch = Buffer.concat([Buffer.from('0f84', 'hex'), Buffer.alloc(4)]) // jz fail
  branch.writeInt32LE(-(fail.length + start.length + branch.length), 2)
  const find = Buffer.from(
    '4c8d64c310' + // lea r12, [rbx + rax * 8 + 16]: the environment
      '4c8b6b08' + // mov r13, [rbx + 8]: argv[0], should the kernel not say AT_EXECFN
      '4c89e6' + // mov rsi, r12
      '488b064883c6084885c075f4' + // step over the environment: mov, add, test, jnz
      '488b064885c07410' + // over the auxiliary vector: mov; at its end leave
      '4883f81f7406' + // cmp rax, 31 (AT_EXECFN); je found
      '4883c610ebec' + // add rsi, 16; again
      '4c8b6e08' + // found: mov r13, [rsi + 8]
      '488d6310', // lea rsp, [rbx + 16]: the next push lands on argv[0]
    'hex',
  )
  const pushes = at.words.toReversed().map(word => {
    if (word === undefined) return Buffer.from('4155', 'hex') // push r13
    return Buffer.concat([movX86('eax', word), Buffer.from('50', 'hex')])
  })
  const exec = Buffer.concat([
    movX86('edi', at.path),
    Buffer.from('4889e6' + '4c89e2', 'hex'), // rsi = rsp; rdx = r12
    movX86('eax', 59), // execve
    Buffer.from('0f05', 'hex'),
  ])
  const main = Buffer.concat([start, branch, find, ...pushes, exec])
  const back = Buffer.concat([Buffer.from('e9', 'hex'), Buffer.alloc(4)]) // jmp fail
  back.writeInt32LE(-(fail.length + main.length + back.length), 1)
  return { bytes: Buffer.concat([fail, main, back]), entry: fail.length }
}

/** mov r32, imm32, which clears the upper half. */
function movX86(register: 'eax' | 'edx' | 'esi' | 'edi', value: number): Buffer {
  const bytes = Buffer.alloc(5)
  bytes[0] = { eax: 0xb8, edx: 0xba, esi: 0xbe, edi: 0xbf }[register]
  bytes.writeUInt32LE(value, 1)
  return bytes
}

function codeAarch64(at: Addresses): Code {
  const fail = [
    ...movA64(0, 2),
    ...movA64(1, at.message),
    ...movA64(2, at.messageSize),
    ...movA64(8, 64), // write
    SVC,
    ...movA64(0, 127),
    ...movA64(8, 94), // exit_group
    SVC,
  ]
  const start = [
    0xf94003e0, // ldr x0, [sp]: argc
    branchA64(0xb4000000, -(fail.length + 1)), // cbz x0, fail
    0x910023e9, // add x9, sp, 8: argv
    0x8b000d22, // add x2, x9, x0, lsl 3
    0x91002042, // add x2, x2, 8: the environment, where execve wants it
    0xf940012a, // ldr x10, [x9]: argv[0], should the kernel not say AT_EXECFN
    0xaa0203eb, // mov x11, x2
    0xf840856c, // ldr x12, [x11], 8: step over the environment
    branchA64(0xb5000000, -1) | 12, // cbnz x12, back
    0xf940016c, // ldr x12, [x11]: over the auxiliary vector
    branchA64(0xb4000000, 6) | 12, // cbz x12, past found
    0xf1007d9f, // cmp x12, 31 (AT_EXECFN)
    branchA64(0x54000000, 3), // b.eq found
    0x9100416b, // add x11, x11, 16
    0x17fffffb, // b, five back
    0xf940056a, // found: ldr x10, [x11, 8]
    0x910043ed, // add x13, sp, 16: just above argv[0]
  ]
  const stores = at.words.toReversed().flatMap(word => {
    if (word === undefined) return [0xf81f8daa] // str x10, [x13, -8]!
    return [...movA64(12, word), 0xf81f8dac] // str x12, [x13, -8]!
  })
  const exec = [...movA64(0, at.path), 0xaa0d03e1, ...movA64(8, 221), SVC] // x1 = x13; execve
  const before = [...fail, ...start, ...stores, ...exec]
  const all = [...before, (0x14000000 | (-before.length & 0x3ffffff)) >>> 0] // b fail
  const bytes = Buffer.alloc(all.length * 4)
  for (const [index, word] of all.entries()) bytes.writeUInt32LE(word >>> 0, index * 4)
  return { bytes, entry: fail.length * 4 }
}

const SVC = 0xd4000001

/** movz and movk: a register gets a 32-bit value, always in two instructions. */
function movA64(register: number, value: number): [number, number] {
  const low = 0xd2800000 + ((value & 0xffff) << 5) + register
  const high = 0xf2a00000 + ((value >>> 16) << 5) + register
  return [low, high]
}

/** A conditional branch by `words` instructions (19 bits, signed). */
function branchA64(opcode: number, words: number): number {
  return (opcode | ((words & 0x7ffff) << 5)) >>> 0
}
