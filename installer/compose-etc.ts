import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import type { StorePath } from '../agent/codec/documents.ts'
import { encodeJson } from '../agent/codec/json.ts'
import type { AgentPackage } from './agent-package.ts'
import type { BuildFile } from './build-file.ts'
import { copyInto, type Losses } from './copy-tree.ts'
import { substitutePackages } from './substitute.ts'
import { enableUnit, installableUnits, maskUnit } from './unit-links.ts'

/** What belongs to the machine that the root file system was made on, not to the hosts. */
const OF_ONE_MACHINE =
  /^(machine-id|hostname|resolv\.conf|mtab|\.pwd\.lock|ssh\/ssh_host_.*|.*\.dpkg-(old|new|dist))$/

export type EtcParts = {
  build: BuildFile
  packages: Map<string, StorePath>
  agent: AgentPackage | undefined
  losses: Losses
}

/** Lays out a system's `etc`: the root file system's, the build file's over it, and the units. */
export function composeEtc(parts: EtcParts, directory: string): void {
  const { build, packages, agent, losses } = parts
  const ownEtc = join(directory, 'own')
  const etc = join(directory, 'etc')
  mkdirSync(etc, { recursive: true })
  const rootfsEtc = build.rootfs === undefined ? undefined : join(build.rootfs, 'etc')
  if (rootfsEtc !== undefined && existsSync(rootfsEtc)) {
    copyInto(rootfsEtc, etc, { leaveOut: name => OF_ONE_MACHINE.test(name), losses })
    pointOut(etc, '')
  }
  mkdirSync(ownEtc)
  if (build.etc !== undefined) copyInto(build.etc, ownEtc)
  const units = join(ownEtc, 'systemd/system')
  if (build.units !== undefined) copyInto(build.units, units)
  substitutePackages(ownEtc, packages)
  if (agent !== undefined) addAgent(ownEtc, build, agent)
  makeWay(ownEtc, etc)
  copyInto(ownEtc, etc)
  linkUnits(parts, etc)
}

function linkUnits({ build, agent }: EtcParts, etc: string): void {
  const places = { etc, rootfs: build.rootfs }
  for (const unit of build.enable ?? installableUnits(build.units)) enableUnit(places, unit)
  if (agent !== undefined && build.services === 'systemd' && build.agent !== undefined) {
    enableUnit(places, AGENT_UNIT)
  }
  for (const unit of build.mask) maskUnit(places, unit)
}

const AGENT_UNIT = 'holdfast-agent.service'
/** So that a person who logs in can type `holdfast-agent`; `/usr` is not ours to add to. */
const PROFILE = 'PATH="$PATH:/run/current-system/agent/bin"\n'

function addAgent(etc: string, build: BuildFile, agent: AgentPackage): void {
  if (build.agent?.config !== undefined) {
    mkdirSync(join(etc, 'holdfast'), { recursive: true })
    writeFileSync(join(etc, 'holdfast/agent.json'), encodeJson(build.agent.config))
  }
  const shell = join(etc, 'profile.d/holdfast.sh')
  if (build.services === 'systemd' && !existsSync(shell)) {
    mkdirSync(dirname(shell), { recursive: true })
    writeFileSync(shell, PROFILE)
  }
  const unit = join(etc, 'systemd/system', AGENT_UNIT)
  if (build.services !== 'systemd' || existsSync(unit)) return
  mkdirSync(dirname(unit), { recursive: true })
  writeFileSync(unit, agentUnit(agent))
}

/** The agent outlives its own restarts: what it switches runs in a unit of its own. */
function agentUnit(agent: AgentPackage): string {
  return `[Unit]
Description=Holdfast agent
After=network.target
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart=${agent.program} run
Restart=always
RestartSec=2
KillMode=mixed
LimitNOFILE=65536
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
`
}

/** A file of the build takes the place of whatever the root file system has of that name. */
function makeWay(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const target = join(to, entry.name)
    const stat = lstatSync(target, { throwIfNoEntry: false })
    if (stat === undefined) continue
    if (entry.isDirectory() && stat.isDirectory()) makeWay(join(from, entry.name), target)
    else rmSync(target, { recursive: true })
  }
}

/**
 * Links that leave `/etc` by `..` mean the root around it; in the store they would not. They become
 * absolute.
 */
function pointOut(etc: string, folder: string): void {
  for (const entry of readdirSync(join(etc, folder), { withFileTypes: true })) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`
    const path = join(etc, name)
    if (entry.isDirectory()) pointOut(etc, name)
    if (!entry.isSymbolicLink()) continue
    const target = readlinkSync(path)
    if (target.startsWith('/')) continue
    const meant = normalize(join('/etc', folder, target))
    if (meant.startsWith('/etc/')) continue
    rmSync(path)
    symlinkSync(meant, path)
  }
}
