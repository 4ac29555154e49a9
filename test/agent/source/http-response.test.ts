import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEAD_BYTES_MAX, ResponseReader } from '../../../agent/source/http-response.ts'

const options = { what: 'x', bytesMax: 10 }

function read(text: string, step = text.length): ResponseReader {
  const reader = new ResponseReader(options)
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += step) reader.push(bytes.subarray(at, at + step))
  return reader
}

const good: [name: string, text: string, status: number, body: string, reusable: boolean][] = [
  ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi', 200, 'hi', true],
  ['no reason', 'HTTP/1.1 200\r\ncontent-length:2\r\n\r\nhi', 200, 'hi', true],
  ['an empty body', 'HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n', 404, '', true],
  ['304 with a length', 'HTTP/1.1 304 N\r\nContent-Length: 99\r\n\r\n', 304, '', true],
  ['1xx before', 'HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 204 N\r\n\r\n', 204, '', true],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx', 200, 'x', false],
  ['close', 'HTTP/1.1 200 O\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx', 200, 'x', false],
  [
    'chunks with extension and trailer',
    'HTTP/1.1 200 O\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n2\r\nde\r\n0\r\nT:\r\n\r\n',
    200,
    'abcde',
    true,
  ],
]

test('reads answers of every framing, at once and one byte at a time', () => {
  for (const [name, text, status, body, reusable] of good) {
    for (const step of [text.length, 1, 3]) {
      const reader = read(text, step)
      assert.ok(reader.done, name)
      const was = [reader.status, reader.body().toString(), reader.reusable]
      assert.deepEqual(was, [status, body, reusable], name)
    }
  }
})

test('is not done at any truncation, and says so when the connection ends', () => {
  for (const [name, text] of good) {
    for (let length = 0; length < text.length; length += 1) {
      const reader = read(text.slice(0, length))
      assert.ok(!reader.done, `${name} cut at ${length}`)
      assert.throws(() => reader.end(), { code: 'http', kind: 'transient' })
    }
  }
})

test('reads until the close where nothing else ends the body', () => {
  const reader = read('HTTP/1.1 200 OK\r\n\r\nhello')
  assert.ok(!reader.done)
  reader.end()
  assert.deepEqual([reader.body().toString(), reader.reusable], ['hello', false])
})

test('F03: refuses lies about length, garbage and what is over the cap', () => {
  const bad: [name: string, text: string, code: string][] = [
    ['not HTTP', 'SSH-2.0-x\r\n\r\n', 'http'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n', 'http'],
    ['switching', 'HTTP/1.1 101 S\r\n\r\n', 'http'],
    ['negative length', 'HTTP/1.1 200 O\r\nContent-Length: -1\r\n\r\n', 'http'],
    ['two lengths', 'HTTP/1.1 200 O\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'http'],
    ['huge length', 'HTTP/1.1 200 O\r\nContent-Length: 11\r\n\r\n', 'oversized'],
    ['endless body', `HTTP/1.1 200 O\r\n\r\n${'x'.repeat(11)}`, 'oversized'],
    ['huge chunk', 'HTTP/1.1 200 O\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n', 'oversized'],
    ['bad chunk', 'HTTP/1.1 200 O\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n', 'http'],
    ['long chunk', 'HTTP/1.1 200 O\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n', 'http'],
    ['gzip', 'HTTP/1.1 200 O\r\nContent-Encoding: gzip\r\n\r\n', 'http'],
    ['folded header', 'HTTP/1.1 200 O\r\nA: b\r\n c\r\n\r\n', 'http'],
    ['other coding', 'HTTP/1.1 200 O\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 'http'],
  ]
  for (const [name, text, code] of bad) assert.throws(() => read(text), { code }, name)
})

test('bounds the head at its limit', () => {
  const start = 'HTTP/1.1 204 O\r\nA: '
  const fits = start + 'x'.repeat(HEAD_BYTES_MAX - start.length)
  assert.ok(read(`${fits}\r\n\r\n`).done)
  assert.throws(() => read(`${fits}x\r\n\r\n`), { code: 'http' })
  assert.throws(() => read(`${fits}xxxxx`, 1000), { code: 'http' })
})

test('does not use a connection again that sent more than its answer', () => {
  assert.equal(read(`${good[0]![1]}HTTP/1.1 200 OK\r\n`).reusable, false)
})
