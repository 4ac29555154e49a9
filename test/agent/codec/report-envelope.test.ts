import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Status } from '../../../agent/codec/report.ts'
import {
  decodeCredential,
  decodeEnrol,
  decodeReport,
  encodeCredential,
  encodeEnrol,
  encodeReport,
  enrolMessage,
  REPORT_BYTES_MAX,
  type SentReport,
} from '../../../agent/codec/report-envelope.ts'
import { cutText, TEXT_LENGTH_MAX } from '../../../agent/codec/report-fields.ts'
import { publicKeyOf } from '../../../agent/codec/ssh-key.ts'
import { pointOf } from '../../../agent/trust/ed25519.ts'
import { someStatus } from '../shell/some-status.ts'

const publicKey = publicKeyOf(pointOf(Buffer.alloc(32, 1))).line
const report: SentReport = {
  counter: 7,
  sentAt: '2026-01-01T00:00:00.000Z',
  intervalSeconds: 30,
  status: someStatus({ message: 'all is well' }),
  metrics: { uptimeSeconds: 1, loadPerCore: 0.5, memoryTotal: 2, memoryUsed: 1, storeFree: 3 },
  history: [
    {
      id: 5,
      at: '2026-01-01T00:00:00.000Z',
      phase: 'Reverted',
      release: { epoch: 1, version: 2 },
      synced: false,
      health: 'Degraded',
      message: 'went back',
      code: 'probe',
    },
  ],
}

test('a report comes out as it went in', () => {
  assert.deepEqual(decodeReport(encodeReport(report)), report)
})

test('a report is refused when it is cut anywhere', () => {
  const bytes = encodeReport(report)
  for (let end = 0; end < bytes.length; end += 1) {
    assert.throws(() => decodeReport(bytes.subarray(0, end)), { code: 'json' })
  }
})

const wrong: [name: string, change: object][] = [
  ['a counter of 0', { counter: 0 }],
  ['a counter of 2^53', { counter: 2 ** 53 }],
  ['a counter as text', { counter: '7' }],
  ['no interval', { intervalSeconds: 0 }],
  ['another type', { type: 'holdfast-report-2' }],
  ['an unknown phase', { status: { ...report.status, phase: '__proto__' } }],
  ['a status that is a list', { status: [] }],
  ['a load below zero', { metrics: { ...report.metrics, loadPerCore: -1 } }],
  ['history that is no list', { history: {} }],
  ['a release without a version', { status: { ...report.status, release: { epoch: 1 } } }],
]
for (const [name, change] of wrong) {
  test(`a report with ${name} is refused`, () => {
    assert.throws(() => decodeReport(encodeReport({ ...report, ...change })), { code: 'schema' })
  })
}

test('a report may have its limit, and not a byte more', () => {
  const bytes = encodeReport(report)
  const padded = (length: number) =>
    Buffer.concat([bytes, Buffer.alloc(length - bytes.length, ' ')])
  assert.deepEqual(decodeReport(padded(REPORT_BYTES_MAX)), report)
  assert.throws(() => decodeReport(padded(REPORT_BYTES_MAX + 1)), { code: 'json' })
})

test('text is cut to a line, without half a character or a control sequence', () => {
  const status: Status = someStatus({ message: `\u001b[2J${'x'.repeat(TEXT_LENGTH_MAX)}` })
  const { message } = decodeReport(encodeReport({ ...report, status })).status
  assert.match(message ?? '', /^ \[2Jx+$/)
  const pair = `${'x'.repeat(TEXT_LENGTH_MAX - 1)}\u{1f600}`
  assert.ok(cutText(pair).isWellFormed())
})

test('an enrolment comes out as it went in, and its proof runs no field into the next', () => {
  const request = { fleet: 'demo', host: 'web-1', publicKey, token: 'join', proof: 'proof' }
  assert.deepEqual(decodeEnrol(encodeEnrol(request)), request)
  const shifted = { ...request, fleet: 'demo","web', host: '-1' }
  assert.notDeepEqual(enrolMessage(shifted), enrolMessage(request))
})

test('a credential comes out as it went in, and nothing else is one', () => {
  const signature = Buffer.alloc(64, 9)
  const header = encodeCredential(publicKey, signature)
  assert.deepEqual(decodeCredential(header)?.signature, signature)
  const others = [
    undefined,
    '',
    'Bearer x',
    `${header} `,
    header.slice(0, -1),
    header.toLowerCase(),
  ]
  for (const other of others) assert.equal(decodeCredential(other), undefined)
})
