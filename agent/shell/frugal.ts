import { setFlagsFromString } from 'node:v8'

/**
 * Keeps this process small: it only waits and coordinates, and what is heavy runs in processes of
 * its own. V8's optimising compilers would touch some 8 MiB of the executable for nothing.
 */
export function beFrugal(): void {
  for (const flag of ['--no-opt', '--no-maglev', '--no-sparkplug']) setFlagsFromString(flag)
}
