import type { SourceConfig } from '../codec/documents.ts'
import { DirectorySource } from './directory.ts'
import { GitSource } from './git.ts'
import { HttpSource } from './http.ts'
import type { Source } from './source.ts'

/**
 * Opens a source. Nothing is read or written until it is polled; `scratch` is a directory that may
 * be made, and that holds something only while a git branch is fetched. Fails with `config`.
 */
export function openSource(config: SourceConfig, { scratch }: { scratch: string }): Source {
  if ('git' in config) return new GitSource({ url: config.git, branch: config.branch, scratch })
  if ('http' in config) return new HttpSource(config.http)
  return new DirectorySource(config.directory)
}
