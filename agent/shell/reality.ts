import type { Reality } from '../core/event.ts'
import { readProfile } from '../system/profile.ts'
import { bootId, runningSystem } from '../system/running.ts'

/** What boots, what runs, and since which boot: read anew each time, never remembered. */
export function readReality(prefix: string): Reality {
  const running = runningSystem(prefix)
  const profile = readProfile(prefix)
  return {
    bootId: bootId(prefix),
    ...(running === undefined ? {} : { running }),
    ...(profile === undefined ? {} : { profile }),
  }
}
