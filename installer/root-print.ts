import type { Invocation } from '../agent/cli/command.ts'
import { digestOf } from '../agent/trust/root-chain.ts'
import { type Count, type RootFile, rootState } from './root-files.ts'

/** Prints one root and how far it is signed; says what is still missing. */
export function printRoot(invocation: Invocation, roots: RootFile[], index: number): void {
  const { json, print, say } = invocation
  const { path, root } = roots[index]!
  const state = rootState(roots, index)
  const sha256 = digestOf(roots[index]!)
  const { fleet, epoch, expires } = root
  if (json) {
    print({ path, sha256, fleet, epoch, expires, ...state })
  } else {
    print(`${path}  sha256 ${sha256}`)
    print(`fleet ${fleet}, version ${state.version}, epoch ${epoch}, expires ${expires}`)
    const previous = state.previous ? `, ${shown(state.previous)} by the root before it` : ''
    print(`signed: ${shown(state.own)} by its own root keys${previous}`)
  }
  if (state.complete) return
  say(`Not signed enough yet: hosts refuse it. Sign with one of
  holdfast root sign ${path} --key KEY
  ssh-keygen -Y sign -n holdfast-root -f KEY < ${path} > NEW.sig
  holdfast root sign ${path} --signature NEW.sig`)
}

function shown({ signed, threshold }: Count): string {
  return `${signed} of ${threshold}`
}
