import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openSource } from '../../../agent/source/open-source.ts'
import { startGitServer } from '../../support/git-server.ts'
import { needs } from '../../support/needs.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { makeRepository } from '../../support/tree-repository.ts'
import { sourceContract } from './contract.ts'

async function openHttp(t: TestContext) {
  needs('git')
  const repository = makeRepository(temporaryDirectory(t))
  const server = await startGitServer({ directory: repository.directory })
  t.after(() => server.close())
  return bench(repository, `${server.url}/fleet.git`)
}

async function openFile(t: TestContext) {
  needs('git')
  const repository = makeRepository(temporaryDirectory(t))
  return bench(repository, `file://${repository.bare}`)
}

function bench(repository: ReturnType<typeof makeRepository>, url: string) {
  const scratch = join(repository.directory, 'scratch')
  const open = () => openSource({ git: url, branch: 'main' }, { scratch })
  const check = () => {
    const left = readdirSync(repository.directory).includes('scratch') ? readdirSync(scratch) : []
    assert.deepEqual(left, [], 'the throw-away git directory is still there')
  }
  const publish = async (change: Record<string, string | undefined>) => {
    repository.commit(change)
  }
  return { source: open(), reopen: open, publish, check }
}

sourceContract('git over http', openHttp)
sourceContract('git over the file system', openFile)
