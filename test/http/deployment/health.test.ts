import { afterEach, describe, expect, it, vi } from 'vitest'
import { healthAnswer } from '../../../src/contract/values.ts'
import { health, overdueMs } from '../../../src/http/deployment/health.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { NOON } from '../../support/sample.ts'

describe('overdueMs', () => {
  it('is 0 for work that came due since the last sweep, while sweeps run', () => {
    expect(overdueMs(NOON + 40_000, NOON, NOON + 10_000)).toBe(0)
  })

  it('counts from the due time of work that a sweep left behind', () => {
    expect(overdueMs(NOON + 40_000, NOON, NOON - 10_000)).toBe(50_000)
  })

  it('counts from the due time where sweeps stopped, or never ran', () => {
    expect(overdueMs(NOON + 10 * MINUTE_MS, NOON, NOON + MINUTE_MS)).toBe(9 * MINUTE_MS)
    expect(overdueMs(NOON + MINUTE_MS, null, NOON)).toBe(MINUTE_MS)
  })

  it('is 0 where nothing is due', () => {
    expect(overdueMs(NOON, NOON, null)).toBe(0)
    expect(overdueMs(NOON, NOON, NOON + 1)).toBe(0)
  })
})

describe('GET /health', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('asks the Directory and the queue at most once a second', async () => {
    let asked = 0
    const idle = { running: false, pending: 0, failed: 0 }
    const work = { deployment_state: idle, roll_up: idle, reconciliation: idle }
    const directory = {
      answer: async () => {
        asked += 1
        return { value: { sweptAt: null, oldestDueAt: null, work } }
      },
    }
    const env = {
      DIRECTORY: { getByName: () => directory },
      PROBES: { metrics: async () => ({ backlogCount: asked }) },
    }
    const ask = async () => healthAnswer.parse(await (await health.request('/health', {}, env)).json())
    vi.useFakeTimers({ toFake: ['Date'], now: NOON })
    const first = await ask()
    vi.setSystemTime(NOON + 999)
    expect((await ask()).now).not.toBe(first.now) // the clock itself is never remembered
    for (let index = 0; index < 20; index++) await ask()
    expect(asked).toBe(1)
    vi.setSystemTime(NOON + 1_000)
    expect((await ask()).queue_backlog).toBe(2)
    expect(asked).toBe(2)
  })
})
