import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSource } from '../../../agent/source/open-source.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { writeTree } from '../../support/tree-repository.ts'
import { poll, sourceContract } from './contract.ts'

sourceContract('directory', async t => {
  const directory = temporaryDirectory(t)
  const open = () => openSource({ directory }, { scratch: join(directory, 'scratch') })
  const publish = async (change: Record<string, string | undefined>) => writeTree(directory, change)
  return { source: open(), reopen: open, publish }
})

test('refuses a link, a directory and a FIFO in the place of a document', async t => {
  const directory = temporaryDirectory(t)
  const source = openSource({ directory }, { scratch: directory })
  const document = join(directory, 'prod/release.json')
  writeTree(directory, { 'prod/release.json.sig': '' })
  const makers = [
    () => symlinkSync('/etc/passwd', document),
    () => mkdirSync(document),
    () => execFileSync('mkfifo', [document]),
  ]
  for (const make of makers) {
    make()
    await assert.rejects(poll(source), { code: 'source-tree', kind: 'rejected' })
    rmSync(document, { recursive: true })
  }
})

test('says that a directory which is not there cannot be reached', async t => {
  const directory = join(temporaryDirectory(t), 'file')
  writeFileSync(directory, '')
  const source = openSource({ directory }, { scratch: directory })
  await assert.rejects(poll(source), { code: 'unreachable', kind: 'transient' })
})

test('refuses a path that is not absolute', () => {
  assert.throws(() => openSource({ directory: 'tree' }, { scratch: '/x' }), { code: 'config' })
})
