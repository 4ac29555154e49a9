import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const file = join(import.meta.dirname, '../../../agent/shell/light-http.ts')

/** Makes one request that fails, and prints whether Node loaded its undici for it. */
const script = (load: string) => `
  const { lightRequest } = await import(${JSON.stringify(file)})
  ${load}
  await lightRequest({ method: 'GET', url: 'http://127.0.0.1:1/', msMax: 1000, bytesMax: 10 })
    .catch(() => undefined)
  console.log(process.moduleLoadList.some(name => name.endsWith('undici/undici')))`

const loadsUndici = (load = '') => {
  const words = ['--input-type=module', '--eval', script(load)]
  return execFileSync(process.execPath, words, { encoding: 'utf8' }).trim()
}

test('a request does not load undici, as an import of node:http would', () => {
  assert.equal(loadsUndici(), 'false')
  assert.equal(loadsUndici(`await import('node:http')`), 'true')
})
