import { HoldfastError } from '../agent/codec/errors.ts'
import type { Project } from '../installer/project.ts'

/** The project that `flag` names, or the nearest one; undefined where there is none to find. */
export async function nearestProject(flag: string | undefined): Promise<Project | undefined> {
  const { readProject } = await import('../installer/project.ts')
  try {
    return readProject(flag)
  } catch (error) {
    const none = error instanceof HoldfastError && error.code === 'no-project'
    if (none && flag === undefined) return undefined
    throw error
  }
}
