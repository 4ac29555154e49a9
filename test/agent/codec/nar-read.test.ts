import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { NarParser, type NarSink } from '../../../agent/codec/nar-read.ts'
import { narHead, rawNode, str } from '../../support/nar-text.ts'
import { needs } from '../../support/needs.ts'
import { seeded } from '../../support/seeded.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

/** Encodes what the parser reports, so that every test sees whether it is the very same NAR. */
class Encoder implements NarSink {
  readonly parts: Buffer[] = [narHead]
  #depth = 0
  #left = 0
  #size = 0

  directory(name: Buffer): void {
    this.#open(name)
    this.parts.push(str('type'), str('directory'))
    this.#depth++
  }
  end(): void {
    this.#depth--
    this.#close()
  }
  file(name: Buffer, executable: boolean, size: number): void {
    this.#open(name)
    this.parts.push(str('type'), str('regular'))
    if (executable) this.parts.push(str('executable'), str(''))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(size))
    this.parts.push(str('contents'), length)
    this.#left = this.#size = size
    if (size === 0) this.#close()
  }
  chunk(bytes: Buffer): void {
    this.parts.push(Buffer.from(bytes))
    this.#left -= bytes.length
    if (this.#left > 0) return
    this.parts.push(Buffer.alloc((8 - (this.#size % 8)) % 8))
    this.#close()
  }
  symlink(name: Buffer, target: Buffer): void {
    this.#open(name)
    this.parts.push(str('type'), str('symlink'), str('target'), str(target))
    this.#close()
  }
  #open(name: Buffer): void {
    if (this.#depth > 0)
      this.parts.push(str('entry'), str('('), str('name'), str(name), str('node'))
    this.parts.push(str('('))
  }
  #close(): void {
    this.parts.push(str(')'))
    if (this.#depth > 0) this.parts.push(str(')'))
  }
}

function parse(nar: Buffer, cut = nar.length, narSize = nar.length): Buffer {
  const encoder = new Encoder()
  const parser = new NarParser(encoder, { narSize })
  for (let at = 0; at < nar.length; at += cut) parser.push(nar.subarray(at, at + cut))
  parser.end()
  return Buffer.concat(encoder.parts)
}

function rejects(nar: Buffer, message: RegExp, narSize = nar.length): void {
  const expected = { code: 'nar', kind: 'rejected', message }
  assert.throws(() => parse(nar, nar.length, narSize), expected)
  assert.throws(() => parse(nar, 1, narSize), expected)
}

function nar(...parts: (string | Buffer)[]): Buffer {
  return Buffer.concat([narHead, rawNode(...parts)])
}
function directory(...entries: Buffer[]): Buffer {
  return Buffer.concat([narHead, str('('), str('type'), str('directory'), ...entries, str(')')])
}
function entry(name: string | Buffer, node = rawNode('type', 'regular', 'contents', 'hi')): Buffer {
  return Buffer.concat([
    str('entry'),
    str('('),
    str('name'),
    str(name),
    str('node'),
    node,
    str(')'),
  ])
}
const link = (target: string | Buffer) => rawNode('type', 'symlink', 'target', target)
const folder = (...entries: Buffer[]) => directory(...entries).subarray(narHead.length)

/** A tree with every kind of entry, as real Nix dumps it. */
function dumped(t: TestContext): Buffer {
  needs('nix-store')
  const top = join(temporaryDirectory(t), 'top')
  mkdirSync(join(top, 'deep/er/est'), { recursive: true })
  mkdirSync(join(top, 'void'))
  for (const size of [0, 1, 7, 8, 9, 300]) writeFileSync(join(top, `f${size}`), 'x'.repeat(size))
  writeFileSync(join(top, 'deep/er/est/tool'), '#!/bin/sh\n')
  chmodSync(join(top, 'deep/er/est/tool'), 0o755)
  symlinkSync('/etc/passwd', join(top, 'absolute'))
  symlinkSync('../../outside', join(top, 'outside'))
  writeFileSync(Buffer.from(`${top}/\xff\xfe`, 'latin1'), 'not UTF-8')
  return execFileSync('nix-store', ['--dump', top], { stdio: ['ignore', 'pipe', 'ignore'] })
}

test('reads what Nix dumps, whole, byte by byte and cut at every offset', t => {
  const bytes = dumped(t)
  for (const cut of [bytes.length, 1, 2, 3, 7, 8, 9, 64]) assert.deepEqual(parse(bytes, cut), bytes)
  for (let at = 1; at < bytes.length; at++) {
    const encoder = new Encoder()
    const parser = new NarParser(encoder, { narSize: bytes.length })
    parser.push(bytes.subarray(0, at))
    parser.push(bytes.subarray(at))
    parser.end()
    assert.ok(Buffer.concat(encoder.parts).equals(bytes), `cut at ${at}`)
  }
})

test('reads a root that is a file or a link', () => {
  const file = nar('type', 'regular', 'executable', '', 'contents', 'data')
  const symlink = nar('type', 'symlink', 'target', 'there')
  for (const bytes of [file, symlink, directory()]) assert.deepEqual(parse(bytes, 1), bytes)
})

test('N01 refuses a NAR that ends at any offset', t => {
  const bytes = dumped(t)
  for (let end = 0; end < bytes.length; end++) {
    const part = bytes.subarray(0, end)
    assert.throws(() => parse(part, 4096, bytes.length), { code: 'nar' }, `ends at ${end}`)
    assert.throws(() => parse(part), { code: 'nar' }, `ends at ${end}`)
  }
})

test('N02 refuses names that cannot be one file name', () => {
  for (const name of ['', '.', '..', 'a/b', '/', 'a\0b', 'x'.repeat(256)]) {
    rejects(directory(entry(name)), /file name|name of/)
  }
})

test('N02 takes names of 255 bytes, of dots, and that are not UTF-8', () => {
  for (const name of ['x'.repeat(254), 'x'.repeat(255), '...', '.x', Buffer.from([0xff, 0xc0])]) {
    const bytes = directory(entry(name))
    assert.deepEqual(parse(bytes, 1), bytes)
  }
})

test('N03 refuses repeated entries and any other order', () => {
  rejects(directory(entry('a'), entry('a')), /repeated or out of order/)
  rejects(directory(entry('b'), entry('a')), /repeated or out of order/)
  rejects(directory(entry('a', link('/etc')), entry('a', folder(entry('x')))), /repeated/)
  rejects(directory(entry('ab'), entry('a')), /out of order/)
})

test('N03 compares names as bytes', () => {
  const bytes = directory(entry('B'), entry('a'), entry('aa'), entry(Buffer.from([0x80])))
  assert.deepEqual(parse(bytes), bytes)
})

test('N05 refuses link targets that Linux cannot have', () => {
  for (const target of ['', 'a\0b', 'x'.repeat(4096)])
    rejects(nar('type', 'symlink', 'target', target), /target/)
  const longest = nar('type', 'symlink', 'target', 'x'.repeat(4095))
  assert.deepEqual(parse(longest), longest)
})

test('N06 refuses depth 65 and takes 64', () => {
  const deep = (depth: number) => {
    let node = folder()
    for (let level = 1; level < depth; level++) node = folder(entry('d', node))
    return Buffer.concat([narHead, node])
  }
  assert.deepEqual(parse(deep(64)), deep(64))
  rejects(deep(65), /64 deep/)
})

test('N06 refuses a depth of a million in constant stack', () => {
  const level = Buffer.concat([
    ...['(', 'type', 'directory', 'entry', '(', 'name', 'd', 'node'].map(text => str(text)),
  ])
  rejects(Buffer.concat([narHead, Buffer.alloc(level.length * 1_000, level)]), /64 deep/)
  const parser = new NarParser(new Encoder(), { narSize: level.length * 1_000_000 + 1000 })
  parser.push(narHead)
  assert.throws(() => {
    for (let index = 0; index < 1_000_000; index++) parser.push(level)
  }, /64 deep/)
})

test('N07 refuses impossible sizes before anything is made', () => {
  for (const size of [2n ** 63n - 1n, 2n ** 53n + 1n, 2n ** 64n - 1n, 5000n]) {
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(size)
    const head = [str('('), str('type'), str('regular'), str('contents'), length]
    rejects(Buffer.concat([narHead, ...head, Buffer.alloc(100)]), /does not fit/, 4096)
    const name = [str('('), str('type'), str('directory'), str('entry'), str('('), str('name')]
    rejects(Buffer.concat([narHead, ...name, length, Buffer.alloc(100)]), /impossible/, 4096)
  }
})

test('N08 refuses padding that is not zero, and bytes after the end', () => {
  const good = nar('type', 'regular', 'contents', 'data')
  const bad = Buffer.from(good)
  bad[good.indexOf('data') + 4] = 1
  rejects(bad, /padding/)
  rejects(Buffer.concat([good, Buffer.alloc(1)]), /follow/)
  rejects(Buffer.concat([good, good]), /follow/)
  const name = directory(entry('n'))
  name[name.lastIndexOf('n\0\0') + 1] = 1
  rejects(name, /padding/)
})

test('N09 refuses fields out of order, unknown or with a value', () => {
  rejects(nar('type', 'regular', 'contents', 'x', 'executable', ''), /close/)
  rejects(nar('type', 'regular', 'executable', 'y', 'contents', 'x'), /contents/)
  rejects(nar('type', 'regular', 'executable', ''), /contents/)
  rejects(nar('type', 'regular'), /file tag/)
  rejects(nar('type', 'device'), /type tag/)
  rejects(nar('kind', 'regular'), /head/)
  rejects(nar('type', 'regular', 'other', 'x'), /file tag/)
  rejects(nar('type', 'symlink', 'contents', 'x'), /target-tag/)
  const other = rawNode('type', 'regular', 'contents', 'x')
  rejects(Buffer.concat([str('nix-archive-2'), other]), /head/)
})

test('N10 refuses a size that is not the declared one', t => {
  const bytes = dumped(t)
  rejects(bytes, /longer/, bytes.length - 1)
  rejects(bytes, /shorter/, bytes.length + 1)
})

test('N16 accepts none of 2,000 mutations unless it is another NAR, byte for byte', t => {
  const bytes = dumped(t)
  const random = seeded(16)
  let refused = 0
  for (let round = 0; round < 2_000; round++) {
    const mutant = mutate(bytes, random)
    if (mutant.equals(bytes)) continue
    try {
      // A change inside a file, name or target is another valid NAR, which the hash then refuses.
      assert.deepEqual(parse(mutant, 1 + random(100)), mutant)
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'nar')
      refused++
    }
  }
  assert.ok(refused > 1_000, `only ${refused} were refused`)
})

function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  const at = random(bytes.length)
  const copy = Buffer.from(bytes)
  const kind = random(5)
  if (kind === 0) copy[at] = random(256)
  else if (kind === 1) copy[at] = copy[at]! ^ (1 << random(8))
  else if (kind === 2)
    return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + random(64))])
  else if (kind === 3) {
    const from = random(bytes.length)
    const piece = bytes.subarray(from, from + 1 + random(64))
    return Buffer.concat([copy.subarray(0, at), piece, copy.subarray(at)])
  } else bytes.copy(copy, at, random(bytes.length), bytes.length)
  return copy
}
