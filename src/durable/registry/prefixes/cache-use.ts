import type { Arrival } from '../../../core/events/arrived.ts'
import { unusedWhy } from '../../../core/events/cache-chosen.ts'
import type { LeavingReason, Referral } from '../../../core/events/cache-chosen.ts'
import { owedFromToday } from '../../../core/managed-cache/plan.ts'
import type { LiveManagedCache, ManagedCacheState } from '../../../core/managed-cache/state.ts'
import { OWN_CACHE } from '../../../core/prefix/parts.ts'
import type { Stop } from '../../../core/prefix/parts.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { stopReasonIs } from '../../../core/prefix/stop-reasons.ts'
import { dayOf } from '../../../core/time/time.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { managedCachePricesOf } from '../../../runtime/facts.ts'
import type { ManagedCacheRecord } from '../records/managed-cache.ts'
import type { StoredManagedCache } from '../records/managed-cache.ts'

/** Failures in a row without a handle after which the provider's own cache is used again. */
const MOST_FAILURES = 5

/** Why a managed cache ends that a caller or the plan no longer wants. */
export const CLOSED = 'a caller chose the cache, or the plan no longer keeps it warm'

/** Whether a plan stopped for another reason than a lack of demand, or the price of a probe: then nothing is paid for either. */
export function isForGood(stopped: Stop | null): boolean {
  return stopped !== null && stopped.reason !== 'not_worth_it' && !stopReasonIs(stopped.reason, 'endedByArrival')
}

export function liveOf({ state: { live } }: StoredManagedCache, now: number): LiveManagedCache | null {
  return live !== null && live.expiresAt > now ? live : null
}

export function spentToday(state: ManagedCacheState, { provider, model }: ManagedCacheRecord, now: number): number {
  const { rates } = managedCachePricesOf(provider, model, now)
  return (state.day === dayOf(now) ? state.dayNanos : 0) + owedFromToday(state, rates, now)
}

/** Whether a real request referred to the handle: by its body, or by the tokens that it read. Null: nothing tells. */
export function referral(
  one: Arrival,
  kept: StoredManagedCache | null,
  ownReads: readonly number[],
  now: number,
): Referral {
  if (kept === null) return null
  if (one.refers === true) return true
  const live = liveOf(kept, now)
  if (live === null || one.startedAt < live.createdAt || one.bytes === 'other') return null
  if (one.bytes === 'same' || one.refers === false) return false
  const read = one.usage.cacheReadTokens
  if (read === null || live.tokens === null) return null
  // While a handle is attached, the count of cached tokens is that of its contents alone. The provider's own cache may show the same.
  return read === live.tokens && ownReads.includes(read) ? null : read === live.tokens
}

/** Why a prefix is no longer kept in its managed cache; null: it still is. */
export function endingOf(
  one: StoredManagedCache,
  { state, record }: { state: PrefixState; record: PrefixRecord },
  isOpen: boolean,
  now: number,
): { reason: LeavingReason; why: string } | null {
  const use = state.managed ?? OWN_CACHE
  const isOver = isForGood(state.stopped) && state.stopped?.reason !== 'kill_switch'
  if (!isOpen || isOver || record.superseded) return { reason: 'closed', why: CLOSED }
  const { stopped, failuresInRow, lastFailure } = one.state
  const live = liveOf(one, now)
  if (stopped !== null && stopped.reason !== 'kill_switch') {
    if (stopped.reason !== 'ended') return { reason: 'failed', why: stopped.why }
    if (use.referred > 0) return { reason: 'dearer', why: 'no real request referred to its handle for too long' }
    return { reason: 'unused', why: 'no real request referred to its handle in its first lifetime' }
  }
  if (live === null && failuresInRow >= MOST_FAILURES) {
    const said = lastFailure?.failure.message ?? 'the provider did not answer'
    return { reason: 'failed', why: `its managed cache could not be made: ${said}` }
  }
  const why = live === null ? null : unusedWhy(use, live.createdAt, now)
  return why === null ? null : { reason: 'unused', why }
}
