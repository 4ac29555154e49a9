/** Runs inside a container that systemd has booted: see service-manager.test.ts. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemctl } from '../../../agent/system/systemctl.ts'
import { systemdServices } from '../../../agent/system/systemd.ts'
import { serviceManagerContract } from '../../agent/system/service-manager-contract.ts'

serviceManagerContract('systemd', async () => {
  const services = systemdServices()
  return {
    services,
    scratch: mkdtempSync('/tmp/contract-'),
    async define(name, lines) {
      writeFileSync(join('/etc/systemd/system', name), `[Service]\n${lines.join('\n')}\n`)
      await services.readUnitsAgain()
    },
    async mainPid(name) {
      return Number((await systemctl(['show', '--property=MainPID', '--value', name])).stdout)
    },
  }
})
