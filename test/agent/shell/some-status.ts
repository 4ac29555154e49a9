import type { Status } from '../../../agent/codec/report.ts'

/** A status as a healthy host sends it, with what a test wants different. */
export function someStatus(changes: Partial<Status>): Status {
  const system = `/nix/store/${'0'.repeat(32)}-web`
  return {
    fleet: 'demo',
    host: 'web-1',
    channel: 'prod',
    phase: 'Committed',
    release: { epoch: 1, version: 2 },
    target: system,
    running: system,
    committed: system,
    generation: 2,
    synced: true,
    stale: false,
    health: 'Healthy',
    rejected: [],
    sources: [{ name: 'directory /srv', ok: true, checkedAt: '2026-01-01T00:00:00Z' }],
    bootId: 'boot',
    agentVersion: '0.1.0',
    ...changes,
  }
}
