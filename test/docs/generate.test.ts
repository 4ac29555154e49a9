import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { generatedPages, pageOnDisk } from '../../docs/generate.ts'

describe('generated reference pages', () => {
  for (const [name, text] of Object.entries(generatedPages)) {
    it(`${name} says what the code says (npm run docs writes it anew)`, () => {
      assert.equal(pageOnDisk(name), text)
    })
  }
})
