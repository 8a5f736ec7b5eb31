import { describe, expect, it } from 'vitest'
import { failureValue } from '../../../src/contract/failure.ts'
import {
  applyAdopted,
  applyConfirmed,
  applyCreated,
  applyGone,
  applyManagedCacheFailure,
  meter,
} from '../../../src/core/managed-cache/events.ts'
import { decideManagedCache, rescheduleManagedCache } from '../../../src/core/managed-cache/plan.ts'
import { newManagedCacheState, restartManagedCache } from '../../../src/core/managed-cache/state.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { managedCacheContext as context, created, forever, NOW, reported } from '../../support/managed-cache.ts'

describe('events of a managed cache', () => {
  it('a creation is charged by tokens, and its expiry is limited by our clock', () => {
    const ahead = { ...reported(), expiresAt: NOW + 3 * HOUR_MS }
    const { state, costNanos } = applyCreated(
      newManagedCacheState(NOW, HOUR_MS),
      ahead,
      NOW,
      HOUR_MS,
      context(),
      NOW + 1_500,
    )
    expect(costNanos).toBe(750_000_000)
    expect(state).toMatchObject({ creationNanos: 750_000_000, dayNanos: 750_000_000, creations: 1, unpriced: false })
    expect(state.measuredTokens).toBe(reported().tokens)
    expect(state.live).toMatchObject({ expiresAt: NOW + HOUR_MS, seenAt: NOW, provenAt: NOW + 1_500 })
  })

  it('a creation makes the sum unknown where the price or the tokens are unknown', () => {
    const { state, costNanos } = applyCreated(
      newManagedCacheState(NOW, HOUR_MS),
      reported(),
      NOW,
      HOUR_MS,
      context({ inputNanosPerMTok: null }),
      NOW,
    )
    expect([costNanos, state.unpriced]).toEqual([null, true])
    const uncounted = applyCreated(
      newManagedCacheState(NOW, HOUR_MS),
      { ...reported(), tokens: null },
      NOW,
      HOUR_MS,
      context(),
      NOW,
    )
    expect([uncounted.costNanos, uncounted.state.unpriced]).toEqual([null, true])
  })

  it('a renewal moves the expiry and charges the storage until now', () => {
    const at = NOW + 45 * MINUTE_MS
    const { state } = applyConfirmed(
      created(),
      'renew',
      reported('h/1', at + HOUR_MS),
      at,
      HOUR_MS,
      context(),
      at + 100,
    )
    expect(state.live).toMatchObject({ name: 'h/1', expiresAt: at + HOUR_MS })
    expect(state).toMatchObject({ renewals: 1, creations: 1 })
    expect(state.storageNanos).toBeGreaterThanOrEqual(375_000_000)
    expect(state.storageNanos).toBeLessThan(375_100_000)
  })

  it('metering charges storage once, and not past the expiry', () => {
    const once = meter(created(), context().rates, NOW + 3 * HOUR_MS).state
    expect(once.storageNanos).toBe(500_000_000)
    expect(meter(once, context().rates, NOW + 4 * HOUR_MS).state).toEqual(once)
  })

  it('a renewal changes nothing but the storage if it names another cache', () => {
    const { state } = applyConfirmed(
      created(),
      'renew',
      reported('h/2', NOW + 9 * HOUR_MS),
      NOW,
      HOUR_MS,
      context(),
      NOW + 2_000,
    )
    expect(state.live).toMatchObject({ name: 'h/1', expiresAt: NOW + HOUR_MS })
    expect(applyGone(created(), 'h/2', 'lost', context(), NOW).state.live?.name).toBe('h/1')
  })

  it('a loss removes the cache, which is then created again', () => {
    const { state } = applyGone(created(), 'h/1', 'lost', context(), NOW + 30 * MINUTE_MS)
    expect(state).toMatchObject({ live: null, losses: 1 })
    expect(state.storageNanos).toBe(250_000_000)
    expect(decideManagedCache(state, context(), NOW + 30 * MINUTE_MS)).toMatchObject({ do: 'call', op: 'create' })
  })

  const unavailable = {
    failure: failureValue('provider_unavailable', 'no'),
    permanent: false,
    retryAfterMs: null,
    accepted: null,
  }
  it('a failed creation is charged its worst case unless it was refused', () => {
    const before = newManagedCacheState(NOW, HOUR_MS)
    expect(applyManagedCacheFailure(before, 'create', unavailable, 99, context(), NOW).costNanos).toBe(99)
    expect(applyManagedCacheFailure(before, 'create', unavailable, 0, context(), NOW)).toMatchObject({
      costNanos: null,
      state: { unpriced: true },
    })
    expect(
      applyManagedCacheFailure(before, 'create', { ...unavailable, accepted: false }, 99, context(), NOW).costNanos,
    ).toBe(0)
    expect(applyManagedCacheFailure(created(), 'renew', unavailable, 99, context(), NOW).costNanos).toBe(0)
  })

  it('a failure is followed by longer and longer waits, or the wait that the provider asks for', () => {
    let state = created()
    const waits: number[] = []
    for (let i = 0; i < 9; i++) {
      state = applyManagedCacheFailure(state, 'renew', unavailable, 0, context(), NOW).state
      waits.push(state.notBeforeAt - NOW)
    }
    expect(waits.toSorted((a, b) => a - b)).toEqual(waits)
    expect([waits[0], waits[8]]).toEqual([750, 90_000])
    const asked = applyManagedCacheFailure(
      created(),
      'renew',
      { ...unavailable, retryAfterMs: HOUR_MS },
      0,
      context(),
      NOW,
    ).state
    expect(asked.notBeforeAt).toBe(NOW + HOUR_MS)
  })

  it('a failure stops the cache if it is permanent, unless it is of a verification', () => {
    const spent = {
      ...unavailable,
      permanent: true,
      failure: failureValue('provider_limited', 'the quota is spent'),
      accepted: false as const,
    }
    const { state } = applyManagedCacheFailure(newManagedCacheState(NOW, HOUR_MS), 'create', spent, 0, context(), NOW)
    expect(rescheduleManagedCache(state, context(), NOW)).toMatchObject({
      nextAt: null,
      stopped: { reason: 'provider_refused', why: 'the quota is spent' },
    })
    expect(applyManagedCacheFailure(created(), 'verify', spent, 0, context(), NOW).state.stopped).toBeNull()
    expect(restartManagedCache(state, NOW + HOUR_MS)).toMatchObject({
      stopped: null,
      failuresInRow: 0,
      lastUsedAt: NOW + HOUR_MS,
    })
  })

  it('a stop is followed by the deletion at the end if the cache exists', () => {
    const keep = { ...forever, idleMs: 30 * MINUTE_MS }
    const stopped = { ...created(), stopped: { reason: 'provider_refused' as const, at: NOW, why: 'no' } }
    expect(rescheduleManagedCache(stopped, context({ keep }), NOW + MINUTE_MS).nextAt).toBe(NOW + 30 * MINUTE_MS)
    // Without an end, the step at the expiry charges the storage.
    expect(rescheduleManagedCache(stopped, context(), NOW + MINUTE_MS).nextAt).toBe(NOW + HOUR_MS)
    expect(rescheduleManagedCache(stopped, context(), NOW + HOUR_MS).nextAt).toBeNull()
  })

  it('an end is followed by no step once the cache expired', () => {
    const keep = { ...forever, idleMs: 30 * MINUTE_MS }
    const ended = { ...created(), stopped: { reason: 'ended' as const, at: NOW, why: '' } }
    expect(rescheduleManagedCache(ended, context({ keep }), NOW + 2 * HOUR_MS).nextAt).toBeNull()
  })

  it('a failed renewal leaves a cache that may exist, to be renewed and deleted', () => {
    const at = NOW + 45 * MINUTE_MS
    const { state } = applyManagedCacheFailure(created(), 'renew', unavailable, 0, context(), at)
    expect(state.live?.maybeUntilAt).toBe(at + HOUR_MS)
    expect(decideManagedCache(state, context(), NOW + HOUR_MS)).toMatchObject({ do: 'call', op: 'renew' })
    expect(decideManagedCache(state, context(), at + HOUR_MS)).toMatchObject({ do: 'call', op: 'create' })
    const keep = { ...forever, untilAt: NOW + HOUR_MS }
    expect(decideManagedCache(state, context({ keep }), NOW + 61 * MINUTE_MS)).toMatchObject({
      do: 'call',
      op: 'delete',
    })
    const known = applyConfirmed(
      state,
      'renew',
      reported('h/1', at + 2 * HOUR_MS),
      NOW + HOUR_MS,
      HOUR_MS,
      context(),
      NOW + HOUR_MS,
    ).state
    expect(known.live).toMatchObject({ maybeUntilAt: null, expiresAt: at + 75 * MINUTE_MS })
    const refused = applyManagedCacheFailure(
      created(),
      'renew',
      { ...unavailable, accepted: false },
      0,
      context(),
      at,
    ).state
    expect(refused.live?.maybeUntilAt).toBeNull()
  })

  it('the kill switch ends by itself; the end of the cache does not', () => {
    const killed = rescheduleManagedCache(created(), context({ killed: true }), NOW + MINUTE_MS)
    // What the provider stores meanwhile is charged when it ends.
    expect(killed).toMatchObject({ nextAt: created().live?.expiresAt, stopped: { reason: 'kill_switch' } })
    expect(rescheduleManagedCache(killed, context(), NOW + 2 * MINUTE_MS)).toMatchObject({
      stopped: null,
      nextAt: NOW + 45 * MINUTE_MS,
    })
    const keep = { ...forever, idleMs: MINUTE_MS }
    const ended = rescheduleManagedCache({ ...created(), live: null }, context({ keep }), NOW + HOUR_MS)
    expect(rescheduleManagedCache(ended, context(), NOW + HOUR_MS).stopped?.reason).toBe('ended')
  })

  it('an adoption charges storage from the creation', () => {
    const change = applyAdopted(newManagedCacheState(NOW, HOUR_MS), reported(), context(), NOW + 30 * MINUTE_MS)
    expect(change.state).toMatchObject({
      storageNanos: 250_000_000,
      creationNanos: 0,
      creations: 1,
      live: { name: 'h/1' },
    })
    // What the state charged is what the ledger is told.
    expect((change.storage ?? []).reduce((sum, { nanos }) => sum + nanos, 0)).toBe(250_000_000)
  })

  it('an adoption charges another one, which was known, up to now', () => {
    const later = NOW + 30 * MINUTE_MS
    const alone = applyAdopted(newManagedCacheState(NOW, HOUR_MS), reported('h/2'), context(), later)
    const both = applyAdopted(created(), reported('h/2'), context(), later)
    const told = (both.storage ?? []).reduce((sum, { nanos }) => sum + nanos, 0)
    expect(both.state.live?.name).toBe('h/2')
    expect(told).toBe(both.state.storageNanos - created().storageNanos)
    expect(told).toBeGreaterThan(alone.state.storageNanos)
  })
})
