import { existsSync } from 'node:fs'
import { type PlainOptions, plainServices } from './plain-services.ts'
import type { ServiceManager } from './service-manager.ts'
import { systemdServices } from './systemd.ts'

/** systemd where it has booted this very root, processes of our own everywhere else. */
export function openServices(options: PlainOptions): ServiceManager {
  return hasSystemd(options.prefix) ? systemdServices() : plainServices(options)
}

/** As sd_booted(3) tells it. */
export function hasSystemd(prefix: string): boolean {
  return prefix === '/' && existsSync('/run/systemd/system')
}
