import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJsonObject } from '../../../agent/codec/json.ts'
import {
  asConfig,
  isTime,
  optional,
  readBoolean,
  readInteger,
  readObject,
  readString,
  readStrings,
  refuseUnknown,
} from '../../../agent/codec/json-fields.ts'

const object = parseJsonObject(
  Buffer.from('{"s":"x","n":7,"b":true,"a":["x"],"m":["x",1],"o":{},"z":null,"f":1.5,"h":1e300}'),
  { what: 'test.json' },
)

test('reads a field of the wanted kind, and names what else it found', () => {
  const readers: [read: (key: string) => unknown, key: string][] = [
    [key => readString(object, key, 'test.json'), 's'],
    [key => readInteger(object, key, 'test.json'), 'n'],
    [key => readBoolean(object, key, 'test.json'), 'b'],
    [key => readStrings(object, key, 'test.json'), 'a'],
    [key => readObject(object, key, 'test.json'), 'o'],
  ]
  for (const [read, right] of readers) {
    for (const key of [...Object.keys(object), 'none', 'toString', '__proto__']) {
      if (key === right) assert.deepEqual(read(key), object[key])
      else
        assert.throws(() => read(key), { code: 'schema', message: RegExp(`"${key}" in test.json`) })
    }
  }
})

test('tells absent from null', () => {
  assert.equal(optional(readString)(object, 'none', 'x'), undefined)
  assert.equal(optional(readString)(object, 's', 'x'), 'x')
  assert.throws(() => optional(readString)(object, 'z', 'x'), {
    message: /it is null, not a string/,
  })
})

test('reads whole numbers at their limits, and not beyond', () => {
  const read = (text: string) => {
    const parsed = parseJsonObject(Buffer.from(`{"n":${text}}`), { what: 'x' })
    return readInteger(parsed, 'n', 'x', { min: -2, max: 3, code: 'version' })
  }
  assert.deepEqual(['-2', '0', '3', '3.0', '3e0'].map(read), [-2, 0, 3, 3, 3])
  for (const text of ['-3', '4', '0.5', '1e300', '9007199254740992', '"1"', 'null']) {
    assert.throws(() => read(text), { code: 'version' }, text)
  }
})

test('knows which times exist', () => {
  for (const text of [
    '2027-01-31T00:00:00Z',
    '2028-02-29T23:59:59.999Z',
    '1970-01-01T00:00:00.5Z',
  ]) {
    assert.ok(isTime(text), text)
  }
  const wrong = [
    '2027-02-29T00:00:00Z',
    '2027-13-01T00:00:00Z',
    '2027-01-01T24:00:00Z',
    '2027-01-01',
  ]
  for (const text of [
    ...wrong,
    '2027-01-01T00:00:60Z',
    '2027-01-01T00:00:00',
    ' 2027-01-01T00:00:00Z',
  ]) {
    assert.equal(isTime(text), false, text)
  }
})

test('refuses unknown keys by name, and shortens a long one', () => {
  refuseUnknown(object, Object.keys(object), 'x')
  assert.throws(() => refuseUnknown(object, ['s'], 'x'), { message: /"n" in x.*known are s/ })
  const long = parseJsonObject(Buffer.from(`{"${'k'.repeat(5000)}":1}`), { what: 'x' })
  assert.throws(
    () => refuseUnknown(long, [], 'x'),
    (error: Error) => error.message.length < 200,
  )
})

test('turns what is wrong in a file of this machine into a config error, and nothing else', () => {
  const wrong = () => readString(object, 'n', '/etc/x.json')
  assert.throws(() => asConfig(wrong), {
    kind: 'usage',
    code: 'config',
    message: /"n" in \/etc\/x/,
  })
  const broken = () => {
    throw new TypeError('a fault of ours')
  }
  assert.throws(() => asConfig(broken), TypeError)
})
