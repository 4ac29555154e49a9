import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareUnits, type UnitChange } from '../../../agent/system/unit-diff.ts'
import { parseUnit } from '../../../agent/system/unit-files.ts'

const base = '[Unit]\nDescription=Web\nAfter=network.target\n[Service]\nExecStart=/bin/web'
const hash = (letter: string) => `/nix/store/${letter.repeat(32)}-web`

const cases: [name: string, old: string, next: string, change: UnitChange][] = [
  ['nothing', base, base, 'none'],
  [
    'comments, spaces and empty lines',
    base,
    `# c\n; d\n\n${base.replace('=Web', ' =  Web ')}\n`,
    'none',
  ],
  ['a line continued in another place', base, base.replace('/bin/web', '\\\n  /bin/web'), 'none'],
  ['the order of sections', '[A]\nx=1\n[B]\ny=1', '[B]\ny=1\n[A]\nx=1', 'none'],
  ['a section in two pieces', '[A]\nx=1\ny=1', '[A]\nx=1\n[A]\ny=1', 'none'],
  ['[Install]', base, `${base}\n[Install]\nWantedBy=multi-user.target`, 'none'],
  ['the description', base, base.replace('=Web', '=Other'), 'none'],
  ['ordering in [Unit]', base, base.replace('network', 'network-online'), 'none'],
  ['a new dependency', base, base.replace('[Service]', 'Wants=db.service\n[Service]'), 'start'],
  ['a dependency less', base.replace('[Service]', 'Wants=db.service\n[Service]'), base, 'none'],
  ['what advice says', base, `${base}\nX-RestartIfChanged=no`, 'none'],
  ['the program', base, base.replace('/bin/web', '/bin/web2'), 'restart'],
  [
    'only the store path of the program',
    base.replace('/bin', hash('a')),
    base.replace('/bin', hash('b')),
    'restart',
  ],
  ['an environment variable more', base, `${base}\nEnvironment=A=1`, 'restart'],
  [
    'the order of two values',
    `${base}\nEnvironment=A=1\nEnvironment=B=1`,
    `${base}\nEnvironment=B=1\nEnvironment=A=1`,
    'restart',
  ],
  [
    'a value that is forgotten by an empty one',
    base,
    `${base}\nExecStart=\nExecStart=/bin/web`,
    'none',
  ],
  ['a section more', base, `${base}\n[X]\na=1`, 'restart'],
  ['an empty section more', base, `${base}\n[X]`, 'none'],
  ['ExecReload is new', base, `${base}\nExecReload=/bin/kill`, 'reload'],
  ['ExecReload is gone', `${base}\nExecReload=/bin/kill`, base, 'none'],
  [
    'restart trigger, NixOS spelling',
    `${base}\n[Unit]\nX-Restart-Triggers=${hash('a')}`,
    `${base}\n[Unit]\nX-Restart-Triggers=${hash('b')}`,
    'restart',
  ],
  [
    'restart trigger, short spelling',
    `${base}\nX-RestartTriggers=${hash('a')}`,
    `${base}\nX-RestartTriggers=${hash('b')}`,
    'restart',
  ],
  [
    'reload trigger',
    `${base}\nX-ReloadTriggers=${hash('a')}`,
    `${base}\nX-ReloadTriggers=${hash('b')}`,
    'reload',
  ],
  ['reload trigger is new', base, `${base}\n[Unit]\nX-Reload-Triggers=${hash('b')}`, 'reload'],
  ['reload trigger is gone', `${base}\n[Unit]\nX-Reload-Triggers=${hash('b')}`, base, 'none'],
  [
    'both triggers: the stronger counts',
    base,
    `${base}\nX-ReloadTriggers=a\nX-RestartTriggers=b`,
    'restart',
  ],
  ['mount options', '[Mount]\nWhat=a\nOptions=rw', '[Mount]\nWhat=a\nOptions=ro', 'reload'],
  ['what is mounted', '[Mount]\nWhat=a', '[Mount]\nWhat=b', 'restart'],
]

for (const [name, old, next, change] of cases) {
  test(`${name}: ${change}`, () => {
    assert.equal(compareUnits(parseUnit([old]), parseUnit([next])), change)
  })
}

test('a drop-in adds to its unit and can forget what the unit says', () => {
  const whole = parseUnit(['[Service]\nExecStart=/bin/a\nEnvironment=X=1'])
  const dropped = parseUnit([
    '[Service]\nExecStart=/bin/b',
    '[Service]\nExecStart=\nExecStart=/bin/a\nEnvironment=X=1',
  ])
  assert.equal(compareUnits(whole, dropped), 'none')
})
