import { describe, expect, it } from 'vitest'
import { healthChecks } from '../../../src/cli/commands/doctor.ts'
import { VERSION } from '../../../src/runtime/version.ts'

const NOW = Date.parse('2026-11-21T15:00:00.000Z')
const GOOD = {
  status: 'ok',
  now: '2026-11-21T15:00:00.000Z',
  clock_rate: 1,
  version: VERSION,
  last_sweep_at: '2026-11-21T14:59:30.000Z',
  queue_backlog: 0,
  oldest_overdue_ms: 0,
  work: { roll_up: { running: false, pending: 0, failed: 0 } },
}
const found = (more: object): (string | null)[] =>
  healthChecks({ ...GOOD, ...more }, NOW).flatMap(({ state, check, fix }) => (state === 'finding' ? [check, fix] : []))

describe('the health of a deployment', () => {
  it('has no finding where nothing is wrong', () => {
    expect(found({})).toEqual([])
    expect(healthChecks(GOOD, NOW)).toHaveLength(5)
  })

  it.each([
    [{ last_sweep_at: null }, 'cron', 'npx wrangler triggers deploy'],
    [{ last_sweep_at: '2026-11-21T14:56:59.000Z' }, 'cron', 'npx wrangler triggers deploy'],
    [{ version: '0.0.1' }, 'version', 'npm run deploy'],
    [{ queue_backlog: 1_001 }, 'queue', 'npx wrangler queues info pilotlight-probes'],
    [{ oldest_overdue_ms: 60_001 }, 'queue', 'npx wrangler queues info pilotlight-probes'],
    [
      { now: '2026-11-21T15:00:31.000Z', last_sweep_at: '2026-11-21T15:00:00.000Z' },
      'clock',
      'timedatectl set-ntp true',
    ],
    [{ work: { roll_up: { running: false, pending: 1, failed: 2 } } }, 'maintenance', 'npx wrangler tail'],
  ])('%j is a finding with the command that mends it', (more, check, fix) => {
    expect(found(more)).toEqual([check, fix])
  })

  it.each([
    { last_sweep_at: '2026-11-21T14:57:00.000Z' },
    { queue_backlog: 1_000 },
    { oldest_overdue_ms: 60_000 },
    { now: '2026-11-21T15:00:30.000Z' },
    { now: '2027-11-21T15:00:00.000Z', last_sweep_at: '2027-11-21T14:50:00.000Z', clock_rate: 12 },
  ])('%j is none', (more) => {
    expect(found(more)).toEqual([])
  })
})
