import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentDefaults, decodeAgentConfig } from '../../../agent/codec/agent-config.ts'

const decode = (value: unknown) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return decodeAgentConfig(Buffer.from(text), '/etc/holdfast/agent.json')
}

test('does without every field', () => {
  assert.deepEqual(decode({}), agentDefaults)
  assert.deepEqual(decode({ type: 'holdfast-agent-1', switch: { probe: {} } }), agentDefaults)
})

test('changes what is given, and nothing else', () => {
  const given = decode({
    poll: { cron: '0 * * * *' },
    switch: { deadlineSeconds: 10, probe: { passes: 5 } },
    rollback: { deadlineSeconds: 20 },
    attemptsMax: 1,
    fetch: { reserveBytes: 0 },
    report: { intervalSeconds: 5 },
    log: { level: 'debug' },
    sources: [{ directory: '/srv' }],
  })
  assert.deepEqual(given, {
    poll: { cron: '0 * * * *', jitterSeconds: agentDefaults.poll.jitterSeconds },
    switch: { deadlineSeconds: 10, probe: { ...agentDefaults.switch.probe, passes: 5 } },
    rollback: { deadlineSeconds: 20 },
    attemptsMax: 1,
    fetch: { ...agentDefaults.fetch, reserveBytes: 0 },
    report: { intervalSeconds: 5 },
    log: { level: 'debug' },
    sources: [{ directory: '/srv' }],
  })
})

test('says in one sentence what is wrong, with the file, the field and a next step', () => {
  const wrong: [value: unknown, message: RegExp][] = [
    ['{', /line 1, column 2/],
    ['{"poll":{},"poll":{}}', /"poll" is there twice/],
    [[], /not a JSON object/],
    [{ pol: {} }, /"pol" in .*agent\.json: it is not a known key/],
    [{ type: 'holdfast-seed-1' }, /"type"/],
    [{ poll: { cron: 'often' } }, /"cron" in .*agent\.json, poll/],
    [{ poll: { jitter: 1 } }, /"jitter"/],
    [{ poll: { jitterSeconds: -1 } }, /"jitterSeconds"/],
    [{ switch: { deadlineSeconds: 0 } }, /"deadlineSeconds".*from 1 to 86400/],
    [{ switch: { probe: { passes: '3' } } }, /"passes" in .*, switch, probe: it is "3"/],
    [{ switch: { probe: { passes: 50, windowSeconds: 60 } } }, /"windowSeconds".*too short/],
    [{ rollback: 5 }, /"rollback"/],
    [{ attemptsMax: 0 }, /"attemptsMax"/],
    [{ fetch: { workers: 1.5 } }, /"workers"/],
    [{ log: { level: 'loud' } }, /"level".*trace, debug/],
    [{ sources: [{ ftp: 'x' }] }, /"ftp" in .*sources\[0\]/],
  ]
  for (const [value, message] of wrong) {
    assert.throws(() => decode(value), { kind: 'usage', code: 'config', message, next: /./ })
  }
})
