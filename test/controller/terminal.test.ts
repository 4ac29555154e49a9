import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Screen } from '../../controller/screen.ts'
import { painter, table } from '../../controller/terminal.ts'

test('nothing that a host says reaches a terminal as a control sequence', () => {
  const rows = [[{ text: 'web-1' }, { text: '\u001b]0;owned\u0007\u202ereversed\r\n' }]]
  assert.deepEqual(table(rows, painter(false)), ['web-1   ]0;owned  reversed'])
})

test('columns line up, and the last one is cut at the width', () => {
  const rows = [
    [{ text: 'a' }, { text: 'long text' }],
    [{ text: 'abc' }, { text: 'x' }],
  ]
  assert.deepEqual(table(rows, painter(false), 9), ['a    long', 'abc  x'])
})

test('on a terminal the screen is drawn in place and the cursor comes back', () => {
  const { stream, text } = stand(true)
  const screen = new Screen(stream)
  screen.draw(['one', 'two'])
  screen.draw(['one', 'three'])
  screen.end()
  assert.match(
    text(),
    /^\u001b\[\?25l\r\u001b\[\?7lone\u001b\[K\ntwo.*\u001b\[2A\r.*one.*\u001b\[\?25h$/s,
  )
})

test('anywhere else only what is new gets a line, and a mere age is not new', () => {
  const { stream, text } = stand(false)
  const screen = new Screen(stream)
  screen.draw(['Release 3 is rolling out', '', 'web-1  Testing  1 s', 'web-2  Staged  1 s'])
  screen.draw(['Release 3 is rolling out', '', 'web-1  Testing  2 s', 'web-2  Testing  2 s'])
  screen.end()
  const lines = ['Release 3 is rolling out', 'web-1  Testing  1 s', 'web-2  Staged  1 s']
  assert.equal(text(), `${[...lines, 'web-2  Testing  2 s'].join('\n')}\n`)
})

function stand(isTTY: boolean) {
  let written = ''
  const write = (text: string) => {
    written += text
    return true
  }
  const stream = { isTTY, rows: 24, write } as unknown as NodeJS.WriteStream
  return { stream, text: () => written }
}
