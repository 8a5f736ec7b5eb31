import { applyCreated } from '../../src/core/managed-cache/events.ts'
import { rescheduleManagedCache } from '../../src/core/managed-cache/plan.ts'
import { newManagedCacheState } from '../../src/core/managed-cache/state.ts'
import type { ManagedCacheContext, ManagedCacheKeep, ManagedCacheState } from '../../src/core/managed-cache/state.ts'
import { HOUR_MS } from '../../src/core/time/time.ts'

/** A Saturday noon, UTC. */
export const NOW = Date.UTC(2026, 10, 21, 12)
/** Keeps the cache without an end and without a budget. */
export const forever: ManagedCacheKeep = { untilAt: null, idleMs: null, budgetNanosPerDay: null }
/** Tokens of the sample: $0.75 to create, $0.50 an hour to store. */
export const TOKENS = 1_000_000
export const managedCacheContext = (more: Partial<ManagedCacheContext> = {}): ManagedCacheContext => ({
  keep: forever,
  inputNanosPerMTok: 750_000_000,
  rates: [{ fromAt: 0, nanosPerMTokHour: 500_000_000 }],
  mostTokens: TOKENS * 2,
  killed: false,
  accountLeftNanos: null,
  random: 0.5,
  ...more,
})
/** A cache as the provider reports it; it expires in an hour. */
export const reported = (name = 'h/1', expiresAt = NOW + HOUR_MS) => ({
  name,
  tokens: TOKENS,
  createdAt: NOW,
  expiresAt,
})
/** A cache that was created at NOW for an hour. */
export function created(more: Partial<ManagedCacheContext> = {}): ManagedCacheState {
  return rescheduleManagedCache(
    applyCreated(newManagedCacheState(NOW, HOUR_MS), reported(), NOW, HOUR_MS, managedCacheContext(more), NOW + 2_000)
      .state,
    managedCacheContext(more),
    NOW + 2_000,
  )
}
