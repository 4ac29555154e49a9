import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  encodeJson,
  JSON_BYTES_MAX,
  JSON_DEPTH_MAX,
  type JsonValue,
  parseJson,
  parseJsonObject,
} from '../../../agent/codec/json.ts'
import { seeded } from '../../support/seeded.ts'

const parse = (text: string | Uint8Array): JsonValue => {
  return parseJson(typeof text === 'string' ? Buffer.from(text) : text, { what: 'test.json' })
}
const refuses = (text: string | Uint8Array, message: RegExp) => {
  assert.throws(() => parse(text), { kind: 'rejected', code: 'json', message })
}

test('reads what JSON.parse reads', () => {
  const texts = [
    '0',
    '-0',
    '1.5e-3',
    '1e300',
    '9007199254740993',
    'true',
    'false',
    'null',
    '""',
    '"\\u00e9\\n\\"\\\\\\/"',
    '"ünï 😀 \\ud83d\\ude00"',
    '[]',
    '{}',
    ' [ 1 , [ ] , { "a" : { } } ] ',
    '{"a":1,"b":[true,null],"":"\u007f"}',
    '\t\r\n 7 \n',
  ]
  for (const text of texts) {
    assert.equal(JSON.stringify(parse(text)), JSON.stringify(JSON.parse(text)), text)
  }
})

test('refuses what JSON.parse refuses', () => {
  const texts = [
    '',
    ' ',
    '01',
    '1.',
    '.5',
    '+1',
    '-',
    '1e',
    '0x1',
    'NaN',
    'tru',
    'truex',
    '"\t"',
    '"\\x"',
    '"\\u12"',
    '"',
    '"\\',
    "'a'",
    '[',
    '[1',
    '[1,',
    '[1,]',
    '[,]',
    '[1 2]',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{a:1}',
    '{"a" 1}',
    '[}',
    '{]',
    '1 2',
    '{}x',
    '//',
    '\u00a01',
  ]
  for (const text of texts) {
    assert.throws(() => JSON.parse(text), SyntaxError, text)
    refuses(text, /^Cannot read "test\.json": /)
  }
})

test('agrees with JSON.parse on 3,000 random texts of few characters', () => {
  const random = seeded(7)
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"b"',
    '1',
    '-',
    '0',
    '.5',
    'e2',
    'null',
    ' ',
  ]
  let valid = 0
  for (let round = 0; round < 3000; round += 1) {
    const length = 1 + random(7)
    const text = Array.from({ length }, () => pieces[random(pieces.length)]).join('')
    const wanted = attempt(() => JSON.stringify(JSON.parse(text)))
    const found = attempt(() => JSON.stringify(parse(text)))
    if (/twice/.test(found)) continue
    if (!wanted.startsWith('error')) valid += 1
    assert.equal(found.slice(0, 5), wanted.startsWith('error') ? 'error' : wanted.slice(0, 5), text)
  }
  assert.ok(valid > 100, `${valid} of them were JSON`)
})

function attempt(read: () => string): string {
  try {
    return read()
  } catch (error) {
    return `error ${error}`
  }
}

test('H28 refuses duplicate keys at any depth, in any spelling', () => {
  refuses('{"a":1,"a":2}', /the key "a" is there twice \(line 1, column 8\)/)
  refuses('[{"x":{"a":1,"b":2,"\\u0061":3}}]', /"a" is there twice/)
  refuses('{"__proto__":1,"__proto__":2}', /twice/)
  refuses('{"":1,"":2}', /twice/)
  assert.ok(parse('[{"a":1},{"a":2}]'))
})

test('H28 refuses a byte-order mark and bytes that are not UTF-8', () => {
  refuses('\ufeff{}', /byte-order mark/)
  refuses(Buffer.from('\ufeff{}', 'utf16le'), /not UTF-8/)
  for (const bytes of [
    [0xff],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xe2, 0x82],
    [0xf5, 0x80, 0x80, 0x80],
  ]) {
    refuses(Buffer.from([0x22, ...bytes, 0x22]), /not UTF-8/)
  }
  refuses('"\\ud800"', /half a character/)
  refuses('"\\udc00\\ud800"', /half a character/)
})

test('H28 refuses one byte more than the cap', () => {
  const text = (bytes: number) => Buffer.from(`"${'a'.repeat(bytes - 2)}"`)
  assert.equal((parse(text(JSON_BYTES_MAX)) as string).length, JSON_BYTES_MAX - 2)
  refuses(text(JSON_BYTES_MAX + 1), /1048577 bytes, and at most 1048576/)
  const small = { what: 'small', bytesMax: 4 }
  assert.equal(parseJson(Buffer.from('1234'), small), 1234)
  assert.throws(() => parseJson(Buffer.from('12345'), small), { code: 'json' })
})

test('H28 refuses nesting beyond the cap, a million levels as fast as thirty-three', () => {
  const nested = (open: string, close: string, depth: number) =>
    `${open.repeat(depth)}${close.repeat(depth)}`
  assert.ok(parse(nested('[', ']', JSON_DEPTH_MAX)))
  refuses(nested('[', ']', JSON_DEPTH_MAX + 1), /deeper than 32/)
  refuses('['.repeat(1_000_000), /deeper than 32/)
  refuses('{"a":'.repeat(200_000), /deeper than 32/)
  assert.ok(parse(`[${'[],'.repeat(1000)}[]]`), 'breadth is not depth')
})

test('H28 takes linear time for a megabyte of the worst shapes', () => {
  const shapes: [name: string, piece: string, close: string][] = [
    ['[', '[],', '1]'],
    ['[', '1,', '1]'],
    ['', ' ', ''],
    ['1', '\n', 'x'],
    ['"', '\\n', '"'],
    ['[', '"\\u0061",', '1]'],
    ['', '9', ''],
    ['-', '0', ''],
  ]
  const milliseconds = (text: string) => {
    const start = performance.now()
    attempt(() => String(parse(text)))
    return performance.now() - start
  }
  for (const [open, piece, close] of shapes) {
    const times = Math.floor((JSON_BYTES_MAX - 2) / piece.length)
    const quarter = milliseconds(open + piece.repeat(times / 4) + close)
    const whole = milliseconds(open + piece.repeat(times) + close)
    // Quadratic time would be 16 times as long; a busy machine gets a wide margin.
    assert.ok(whole < 12 * quarter + 200, `"${piece}": ${quarter} ms, then ${whole} ms`)
  }
})

test('keeps __proto__ and constructor as keys like any other', () => {
  const object = parse('{"__proto__":{"polluted":true},"constructor":1}') as Record<string, unknown>
  assert.deepEqual(Object.keys(object), ['__proto__', 'constructor'])
  assert.equal(Object.getPrototypeOf(object), null)
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
  assert.equal((parse('{}') as Record<string, unknown>).toString, undefined)
})

test('names line and column', () => {
  refuses('{\n  "a": 1,\n  "b": x\n}', /a value is expected \(line 3, column 8\)/)
  refuses('[1,\n2', /\(line 2, column 2\)/)
})

test('refuses a document that is no object', () => {
  for (const text of ['[]', '1', 'null', '"a"']) {
    assert.throws(() => parseJsonObject(Buffer.from(text), { what: 'x' }), { code: 'json' })
  }
})

test('reads back what it writes', () => {
  const value = { a: [1, { b: 'é' }], c: null, d: true }
  assert.equal(JSON.stringify(parse(encodeJson(value))), JSON.stringify(value))
})
