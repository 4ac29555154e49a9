import { codeOf } from '../agent/codec/errors.ts'
import { type Project, readProject } from '../installer/project.ts'

/** The project that `flag` names, or the nearest one; undefined where there is none to find. */
export function nearestProject(flag: string | undefined): Project | undefined {
  try {
    return readProject(flag)
  } catch (error) {
    if (flag === undefined && codeOf(error) === 'no-project') return undefined
    throw error
  }
}
