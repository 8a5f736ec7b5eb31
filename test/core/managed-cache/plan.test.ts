import { describe, expect, it } from 'vitest'
import { decideManagedCache, decideRequested, ttlToBuy } from '../../../src/core/managed-cache/plan.ts'
import { newManagedCacheState } from '../../../src/core/managed-cache/state.ts'
import type { ManagedCacheContext, ManagedCacheKeep, ManagedCacheState } from '../../../src/core/managed-cache/state.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { managedCacheContext as context, created, forever, NOW, TOKENS } from '../../support/managed-cache.ts'

describe('the decision about a managed cache', () => {
  const live = created()
  const cases: [string, ManagedCacheState, Partial<ManagedCacheContext>, number, Record<string, unknown>][] = [
    [
      'is to create one that was never created',
      newManagedCacheState(NOW, HOUR_MS),
      {},
      0,
      { do: 'call', op: 'create', why: 'requested' },
    ],
    ['is to wait until 15 minutes before the expiry', live, {}, MINUTE_MS, { do: 'wait', at: NOW + 45 * MINUTE_MS }],
    ['is to renew from then on', live, {}, 45 * MINUTE_MS, { do: 'call', op: 'renew' }],
    ['is to create one again that expired', live, {}, HOUR_MS, { do: 'call', op: 'create' }],
    [
      'is to wait as long as a provider asked',
      { ...live, notBeforeAt: NOW + 50 * MINUTE_MS },
      {},
      46 * MINUTE_MS,
      { do: 'wait', at: NOW + 50 * MINUTE_MS },
    ],
    ['is to stop with the kill switch', live, { killed: true }, 45 * MINUTE_MS, { do: 'stop', reason: 'kill_switch' }],
    [
      'is not to renew past its end',
      live,
      { keep: { ...forever, untilAt: NOW + 50 * MINUTE_MS } },
      46 * MINUTE_MS,
      { do: 'wait', at: NOW + 50 * MINUTE_MS },
    ],
    [
      'is to delete one that exists at its end',
      live,
      { keep: { ...forever, untilAt: NOW + 50 * MINUTE_MS } },
      50 * MINUTE_MS,
      { do: 'call', op: 'delete' },
    ],
    [
      'is to delete one that no caller uses',
      live,
      { keep: { ...forever, idleMs: 30 * MINUTE_MS } },
      30 * MINUTE_MS,
      { do: 'call', op: 'delete' },
    ],
    [
      'is to stop where it ended and is gone',
      live,
      { keep: { ...forever, idleMs: 30 * MINUTE_MS } },
      HOUR_MS,
      { do: 'stop', reason: 'ended' },
    ],
    [
      'is to stop where one renewal exceeds the budget of a day',
      live,
      { keep: { ...forever, budgetNanosPerDay: 1_000_000 } },
      45 * MINUTE_MS,
      { do: 'stop', reason: 'budget_exhausted' },
    ],
    [
      'is to wait for the next day where today’s budget is spent',
      live,
      { keep: { ...forever, budgetNanosPerDay: 1_000_000_000 } },
      45 * MINUTE_MS,
      { do: 'wait', at: Date.UTC(2026, 10, 22) },
    ],
    [
      'is to wait for the next day where the account’s budget is spent',
      live,
      { accountLeftNanos: 5 },
      45 * MINUTE_MS,
      { do: 'wait', at: Date.UTC(2026, 10, 22) },
    ],
    [
      'is to renew without a price where no budget limits it',
      live,
      { rates: [] },
      45 * MINUTE_MS,
      { do: 'call', op: 'renew', worstNanos: null },
    ],
    [
      'is to stop without a price where a budget limits it',
      live,
      { rates: [], keep: { ...forever, budgetNanosPerDay: 1e12 } },
      45 * MINUTE_MS,
      { do: 'stop', reason: 'price_unknown' },
    ],
  ]
  it.each(cases)('%s', (_, state, more, after, expected) => {
    expect(decideManagedCache(state, context(more), NOW + after)).toMatchObject(expected)
  })

  it('reserves the creation and the storage that it buys', () => {
    expect(decideRequested(newManagedCacheState(NOW, HOUR_MS), context(), NOW)).toMatchObject({
      op: 'create',
      worstNanos: 2_500_000_000,
    })
    // Counted tokens replace the estimate.
    const lost = { ...live, live: null, measuredTokens: TOKENS }
    expect(decideRequested(lost, context(), NOW)).toMatchObject({ op: 'create', worstNanos: 1_250_000_000 })
    // After 46 minutes, one more hour adds 46 minutes of storage, and the 18 s that the call may take.
    expect(decideManagedCache(live, context(), NOW + 46 * MINUTE_MS)).toMatchObject({
      op: 'renew',
      worstNanos: 385_833_334,
    })
  })

  it('buys no time past the end, and at least a minute', () => {
    const until = (minutes: number): ManagedCacheKeep => ({ ...forever, untilAt: NOW + minutes * MINUTE_MS })
    expect([90, 20, 0.1].map((minutes) => ttlToBuy(live, until(minutes), NOW) / MINUTE_MS)).toEqual([60, 20, 1])
  })
})
