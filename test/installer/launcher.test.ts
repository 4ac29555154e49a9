import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { EXECFN, launcherElf, type Machine } from '../../installer/launcher.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const machine: Machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const PRINT = '/usr/bin/printf'

function write(file: string, options: Omit<Parameters<typeof launcherElf>[0], 'machine'>): string {
  writeFileSync(file, launcherElf({ machine, ...options }))
  chmodSync(file, 0o755)
  return file
}

test('puts its words before those of the caller', t => {
  const file = write(join(temporaryDirectory(t), 'launch'), {
    path: PRINT,
    argv: ['printf', '[%s]', 'first', '', 'zweitens: ä'],
  })
  const words = ['a b', '', '--flag=x']
  const { stdout } = spawnSync(file, words, { encoding: 'utf8' })
  assert.equal(stdout, '[first][][zweitens: ä][a b][][--flag=x]')
})

test('works without words of the caller, and with thousands', t => {
  const file = write(join(temporaryDirectory(t), 'launch'), {
    path: PRINT,
    argv: ['printf', '%s.', 'one'],
  })
  assert.equal(spawnSync(file, [], { encoding: 'utf8' }).stdout, 'one.')
  const many = Array.from({ length: 5000 }, (_, index) => String(index))
  assert.equal(spawnSync(file, many, { encoding: 'utf8' }).stdout, `one.${many.join('.')}.`)
})

test('execfn is the path that was asked for, links not followed, whatever argv[0] says', t => {
  const directory = temporaryDirectory(t)
  const file = write(join(directory, 'launch'), {
    path: PRINT,
    argv: ['printf', '[%s]', EXECFN, 'end'],
  })
  const link = join(directory, 'link')
  symlinkSync(file, link)
  const run = (path: string) =>
    spawnSync(path, ['more'], { encoding: 'utf8', argv0: 'another', cwd: directory }).stdout
  assert.equal(run(file), `[${file}][end][more]`)
  assert.equal(run(link), `[${link}][end][more]`)
  assert.equal(run('./launch'), '[./launch][end][more]')
})

test('passes the environment on as it is', t => {
  const file = write(join(temporaryDirectory(t), 'launch'), {
    path: '/usr/bin/env',
    argv: ['env', '-u', 'nothing'],
  })
  const env = { container: 'systemd-nspawn', EMPTY: '', LINES: 'a\nb=c' }
  const { stdout } = spawnSync(file, [], { encoding: 'utf8', env })
  assert.equal(stdout, 'container=systemd-nspawn\nEMPTY=\nLINES=a\nb=c\n')
  assert.equal(spawnSync(file, [], { encoding: 'utf8', env: {} }).stdout, '')
})

test('ends with 127 and says so when the program cannot be started', t => {
  const file = write(join(temporaryDirectory(t), 'launch'), { path: '/no/such', argv: ['such'] })
  const { status, stderr } = spawnSync(file, ['x'], { encoding: 'utf8' })
  assert.equal(status, 127)
  assert.equal(stderr, 'holdfast: Cannot start "/no/such": it is not there or cannot be executed\n')
})

test('launchers start launchers', t => {
  const directory = temporaryDirectory(t)
  const inner = write(join(directory, 'inner'), { path: PRINT, argv: ['printf', '[%s]', EXECFN] })
  const outer = write(join(directory, 'outer'), { path: inner, argv: ['inner', 'a', EXECFN] })
  const { stdout } = spawnSync(outer, ['b'], { encoding: 'utf8' })
  assert.equal(stdout, `[${inner}][a][${outer}][b]`)
})

test('is one small file for each machine, the same every time', () => {
  for (const one of ['x86_64', 'aarch64'] as const) {
    const options = { machine: one, path: '/nix/store/x', argv: ['a', EXECFN, 'b'] }
    const bytes = launcherElf(options)
    assert.deepEqual(launcherElf(options), bytes)
    assert.ok(bytes.length < 1024, `${bytes.length} bytes`)
    assert.equal(bytes.readUInt16LE(18), one === 'x86_64' ? 62 : 183)
  }
})

/** Words checked once with an emulator; the code for a machine we are not on must not drift. */
test('the code for aarch64 is the one that was seen to run', () => {
  const bytes = launcherElf({ machine: 'aarch64', path: '/p', argv: ['a', EXECFN] })
  const entry = Number(bytes.readBigUInt64LE(24)) - 0x400000
  const words = Array.from({ length: 17 }, (_, index) =>
    bytes.readUInt32LE(entry + index * 4).toString(16),
  )
  assert.equal(
    words.join(' '),
    'f94003e0 b4fffe20 910023e9 8b000d22 91002042 f940012a aa0203eb f840856c b5ffffec f940016c ' +
      'b40000cc f1007d9f 54000060 9100416b 17fffffb f940056a 910043ed',
  )
})
