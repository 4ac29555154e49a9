import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commands as agentCommands } from '../../agent/command-table.ts'
import { commands as operatorCommands } from '../../controller/command-table.ts'
import { generatedPages, pageOnDisk } from '../../docs/generate.ts'

describe('generated reference pages', () => {
  for (const [name, text] of Object.entries(generatedPages)) {
    it(`${name} says what the code says (npm run docs writes it anew)`, () => {
      assert.equal(pageOnDisk(name), text)
    })
  }
})

describe('commands', () => {
  it('say of each option what it is', () => {
    const silent = [...operatorCommands, ...agentCommands].flatMap(command =>
      Object.keys(command.options ?? {})
        .filter(name => (command.optionHelp?.[name] ?? '') === '')
        .map(name => `${command.words.join(' ')} --${name}`),
    )
    assert.deepEqual(silent, [])
  })
})
