import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeProbe, encodeProbe, type Probe } from '../../../agent/codec/health.ts'

const common = { name: 'web', timeoutSeconds: 5 }
const good: [text: string, probe: Probe][] = [
  [
    '{"kind":"http","url":"http://127.0.0.1:8080/x?y"}',
    { ...common, kind: 'http', url: 'http://127.0.0.1:8080/x?y', status: 200 },
  ],
  [
    '{"kind":"http","url":"https://[::1]/","status":204,"name":"front","timeoutSeconds":9}',
    { kind: 'http', url: 'https://[::1]/', status: 204, name: 'front', timeoutSeconds: 9 },
  ],
  [
    '{"kind":"tcp","host":"localhost","port":22}',
    { ...common, kind: 'tcp', host: 'localhost', port: 22 },
  ],
  [
    '{"kind":"exec","command":["/bin/true","-x"]}',
    { ...common, kind: 'exec', command: ['/bin/true', '-x'] },
  ],
  ['{"kind":"unit","unit":"a@b.service"}', { ...common, kind: 'unit', unit: 'a@b.service' }],
]

for (const [text, probe] of good) {
  test(`reads ${text}, and what it writes`, () => {
    assert.deepEqual({ ...decodeProbe(Buffer.from(text), 'web.json') }, probe)
    assert.deepEqual({ ...decodeProbe(encodeProbe(probe), 'other.json') }, probe)
  })
}

const bad: [text: string, message: RegExp][] = [
  ['[]', /not a JSON object/],
  ['{"kind":"http"}', /"url".*missing/],
  ['{"kind":"http","url":"ftp://x/"}', /"url"/],
  ['{"kind":"http","url":"http://x/","status":99}', /"status"/],
  ['{"kind":"http","url":"http://x/","port":80}', /"port".*not a known key/],
  ['{"kind":"tcp","host":"x","port":0}', /"port"/],
  ['{"kind":"tcp","host":"x","port":65536}', /"port"/],
  ['{"kind":"exec","command":[]}', /"command"/],
  ['{"kind":"exec","command":["true"]}', /"command"/],
  ['{"kind":"exec","command":["/bin/true",1]}', /"command"/],
  ['{"kind":"unit","unit":"web"}', /"unit"/],
  ['{"kind":"unit","unit":"--all.service; x"}', /"unit"/],
  ['{"kind":"constructor"}', /"kind"/],
  ['{"kind":"tcp","host":"x","port":1,"timeoutSeconds":0}', /"timeoutSeconds"/],
  ['{"kind":"tcp","host":"x","port":1,"timeoutSeconds":301}', /"timeoutSeconds"/],
]

for (const [text, message] of bad) {
  test(`refuses ${text}`, () => {
    assert.throws(() => decodeProbe(Buffer.from(text), 'web.json'), {
      name: 'RejectedError',
      message,
    })
  })
}
