import { describe, expect, it } from 'vitest'
import { failureValue } from '../../../src/contract/failure.ts'
import { judgeListed, markOf, readMark } from '../../../src/core/managed-cache/ownership.ts'
import {
  applyAdopted,
  applyCreated,
  applyGone,
  applyManagedCacheFailure,
  applySeen,
  meter,
} from '../../../src/core/managed-cache/events.ts'
import {
  decideAsked,
  decideManagedCache,
  rescheduleManagedCache,
  ttlToBuy,
} from '../../../src/core/managed-cache/plan.ts'
import { newManagedCacheState, restartManagedCache } from '../../../src/core/managed-cache/state.ts'
import type { ManagedCacheContext, ManagedCacheKeep, ManagedCacheState } from '../../../src/core/managed-cache/state.ts'
import { storageNanos } from '../../../src/core/model/storage-price.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const NOW = Date.UTC(2026, 10, 21, 12)
const forever: ManagedCacheKeep = { untilAt: null, idleMs: null, budgetNanosPerDay: null }
/** A million tokens: $0.75 to create, $0.50 an hour to keep. */
const TOKENS = 1_000_000
const context = (more: Partial<ManagedCacheContext> = {}): ManagedCacheContext => ({
  keep: forever,
  inputNanosPerMTok: 750_000_000,
  rates: [{ fromAt: 0, nanosPerMTokHour: 500_000_000 }],
  estimatedTokens: TOKENS,
  killed: false,
  accountLeftNanos: null,
  random: 0.5,
  ...more,
})
const seen = (name = 'h/1', expiresAt = NOW + HOUR_MS) => ({ name, tokens: TOKENS, createdAt: NOW, expiresAt })
function created(more: Partial<ManagedCacheContext> = {}): ManagedCacheState {
  return rescheduleManagedCache(
    applyCreated(newManagedCacheState(NOW, HOUR_MS), seen(), NOW, HOUR_MS, context(more), NOW + 2_000).state,
    context(more),
    NOW + 2_000,
  )
}

describe('storageNanos', () => {
  const rates = [
    { fromAt: 10 * HOUR_MS, nanosPerMTokHour: 500 },
    { fromAt: 20 * HOUR_MS, nanosPerMTokHour: 1_000 },
  ]
  it.each([
    ['tokens × hours × price', TOKENS, 12, 14, 1_000],
    ['each stretch at the price of its time', TOKENS, 19, 21, 1_500],
    ['the first known price before it began', TOKENS, 0, 2, 1_000],
    ['half a million tokens, half of it', TOKENS / 2, 12, 14, 500],
    ['nothing for no time', TOKENS, 14, 14, 0],
    ['nothing for time that runs back', TOKENS, 14, 12, 0],
    ['a fraction as a whole nano-dollar', 1, 12, 12.5, 1],
  ])('counts %s', (_, tokens, from, to, nanos) => {
    expect(storageNanos(tokens, from * HOUR_MS, to * HOUR_MS, rates)).toBe(nanos)
  })

  it('knows nothing without tokens or a price', () => {
    expect(storageNanos(null, 0, HOUR_MS, rates)).toBeNull()
    expect(storageNanos(TOKENS, 0, HOUR_MS, [])).toBeNull()
  })
})

describe('decideHandle', () => {
  const live = created()
  const cases: [string, ManagedCacheState, Partial<ManagedCacheContext>, number, Record<string, unknown>][] = [
    [
      'creates what was never made',
      newManagedCacheState(NOW, HOUR_MS),
      {},
      0,
      { do: 'call', op: 'create', why: 'requested' },
    ],
    [
      'waits until a quarter of an hour before the expiry',
      live,
      {},
      MINUTE_MS,
      { do: 'wait', at: NOW + 45 * MINUTE_MS },
    ],
    ['renews from there on', live, {}, 45 * MINUTE_MS, { do: 'call', op: 'renew' }],
    ['makes anew what has expired', live, {}, HOUR_MS, { do: 'call', op: 'create' }],
    [
      'waits as a provider asked',
      { ...live, notBeforeAt: NOW + 50 * MINUTE_MS },
      {},
      46 * MINUTE_MS,
      { do: 'wait', at: NOW + 50 * MINUTE_MS },
    ],
    ['stops with the kill switch', live, { killed: true }, 45 * MINUTE_MS, { do: 'stop', reason: 'kill_switch' }],
    [
      'does not renew past an end that is known',
      live,
      { keep: { ...forever, untilAt: NOW + 50 * MINUTE_MS } },
      46 * MINUTE_MS,
      { do: 'wait', at: NOW + 50 * MINUTE_MS },
    ],
    [
      'deletes at its end what still lives',
      live,
      { keep: { ...forever, untilAt: NOW + 50 * MINUTE_MS } },
      50 * MINUTE_MS,
      { do: 'call', op: 'delete' },
    ],
    [
      'deletes what nobody asks for',
      live,
      { keep: { ...forever, idleMs: 30 * MINUTE_MS } },
      30 * MINUTE_MS,
      { do: 'call', op: 'delete' },
    ],
    [
      'leaves alone what ended and is gone',
      live,
      { keep: { ...forever, idleMs: 30 * MINUTE_MS } },
      HOUR_MS,
      { do: 'stop', reason: 'ended' },
    ],
    [
      'stops where one renewal is more than a whole day’s budget',
      live,
      { keep: { ...forever, budgetNanosPerDay: 1_000_000 } },
      45 * MINUTE_MS,
      { do: 'stop', reason: 'budget_exhausted' },
    ],
    [
      'waits for the next day where today’s budget is spent',
      live,
      { keep: { ...forever, budgetNanosPerDay: 1_000_000_000 } },
      45 * MINUTE_MS,
      { do: 'wait', at: Date.UTC(2026, 10, 22) },
    ],
    [
      'waits for the next day of the account',
      live,
      { accountLeftNanos: 5 },
      45 * MINUTE_MS,
      { do: 'wait', at: Date.UTC(2026, 10, 22) },
    ],
    [
      'goes on without a price where nothing limits it',
      live,
      { rates: [] },
      45 * MINUTE_MS,
      { do: 'call', op: 'renew', worstNanos: null },
    ],
    [
      'refuses to guess inside of a budget',
      live,
      { rates: [], keep: { ...forever, budgetNanosPerDay: 1e12 } },
      45 * MINUTE_MS,
      { do: 'stop', reason: 'price_unknown' },
    ],
  ]
  it.each(cases)('%s', (_, state, more, after, expected) => {
    expect(decideManagedCache(state, context(more), NOW + after)).toMatchObject(expected)
  })

  it('counts what the next hour may cost: creation and storage', () => {
    expect(decideAsked(newManagedCacheState(NOW, HOUR_MS), context(), NOW)).toMatchObject({
      op: 'create',
      worstNanos: 2_500_000_000,
    })
    // What was counted once is not estimated again.
    const lost = { ...live, live: null, measuredTokens: TOKENS }
    expect(decideAsked(lost, context(), NOW)).toMatchObject({ op: 'create', worstNanos: 1_250_000_000 })
    // 46 minutes in, one more hour adds 46 minutes to what is bought, and the 18 s that the call may take.
    expect(decideManagedCache(live, context(), NOW + 46 * MINUTE_MS)).toMatchObject({
      op: 'renew',
      worstNanos: 385_833_334,
    })
  })

  it('buys no more than is wanted, and a minute at the least', () => {
    const until = (minutes: number): ManagedCacheKeep => ({ ...forever, untilAt: NOW + minutes * MINUTE_MS })
    expect([90, 20, 0.1].map((minutes) => ttlToBuy(live, until(minutes), NOW) / MINUTE_MS)).toEqual([60, 20, 1])
  })
})

describe('what happened', () => {
  it('a creation is charged by its tokens, and lives no longer than our own clock allows', () => {
    const ahead = { ...seen(), expiresAt: NOW + 3 * HOUR_MS }
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
    expect(state.measuredTokens).toBe(seen().tokens)
    expect(state.live).toMatchObject({ expiresAt: NOW + HOUR_MS, seenAt: NOW, provenAt: NOW + 1_500 })
  })

  it('an unknown price makes the sum unknown, and never 0', () => {
    const { state, costNanos } = applyCreated(
      newManagedCacheState(NOW, HOUR_MS),
      seen(),
      NOW,
      HOUR_MS,
      context({ inputNanosPerMTok: null }),
      NOW,
    )
    expect([costNanos, state.unpriced]).toEqual([null, true])
    const unnamed = applyCreated(
      newManagedCacheState(NOW, HOUR_MS),
      { ...seen(), tokens: null },
      NOW,
      HOUR_MS,
      context(),
      NOW,
    )
    expect([unnamed.costNanos, unnamed.state.unpriced]).toEqual([null, true])
  })

  it('a renewal moves the expiry and counts the storage until now', () => {
    const at = NOW + 45 * MINUTE_MS
    const { state } = applySeen(created(), 'renew', seen('h/1', at + HOUR_MS), at, HOUR_MS, context(), at + 100)
    expect(state.live).toMatchObject({ name: 'h/1', expiresAt: at + HOUR_MS })
    expect(state).toMatchObject({ renewals: 1, creations: 1 })
    expect(state.storageNanos).toBeGreaterThanOrEqual(375_000_000)
    expect(state.storageNanos).toBeLessThan(375_100_000)
  })

  it('storage is counted once, and not past the expiry', () => {
    const once = meter(created(), context().rates, NOW + 3 * HOUR_MS).state
    expect(once.storageNanos).toBe(500_000_000)
    expect(meter(once, context().rates, NOW + 4 * HOUR_MS).state).toEqual(once)
  })

  it('an answer about another handle changes nothing but the meter', () => {
    const { state } = applySeen(
      created(),
      'renew',
      seen('h/2', NOW + 9 * HOUR_MS),
      NOW,
      HOUR_MS,
      context(),
      NOW + 2_000,
    )
    expect(state.live).toMatchObject({ name: 'h/1', expiresAt: NOW + HOUR_MS })
    expect(applyGone(created(), 'h/2', 'lost', context(), NOW).state.live?.name).toBe('h/1')
  })

  it('what is gone is nobody’s from then on, and is made anew', () => {
    const { state } = applyGone(created(), 'h/1', 'lost', context(), NOW + 30 * MINUTE_MS)
    expect(state).toMatchObject({ live: null, losses: 1 })
    expect(state.storageNanos).toBe(250_000_000)
    expect(decideManagedCache(state, context(), NOW + 30 * MINUTE_MS)).toMatchObject({ do: 'call', op: 'create' })
  })

  const trouble = {
    failure: failureValue('provider_unavailable', 'no'),
    permanent: false,
    retryAfterMs: null,
    accepted: null,
  }
  it('a creation of unknown outcome is charged at its worst case; one that was refused costs nothing', () => {
    const before = newManagedCacheState(NOW, HOUR_MS)
    expect(applyManagedCacheFailure(before, 'create', trouble, 99, context(), NOW).costNanos).toBe(99)
    expect(applyManagedCacheFailure(before, 'create', trouble, 0, context(), NOW)).toMatchObject({
      costNanos: null,
      state: { unpriced: true },
    })
    expect(
      applyManagedCacheFailure(before, 'create', { ...trouble, accepted: false }, 99, context(), NOW).costNanos,
    ).toBe(0)
    expect(applyManagedCacheFailure(created(), 'renew', trouble, 99, context(), NOW).costNanos).toBe(0)
  })

  it('trouble that heals is waited out, longer each time, and as long as the provider asks', () => {
    let state = created()
    const waits: number[] = []
    for (let i = 0; i < 9; i++) {
      state = applyManagedCacheFailure(state, 'renew', trouble, 0, context(), NOW).state
      waits.push(state.notBeforeAt - NOW)
    }
    expect(waits.toSorted((a, b) => a - b)).toEqual(waits)
    expect([waits[0], waits[8]]).toEqual([750, 90_000])
    const asked = applyManagedCacheFailure(
      created(),
      'renew',
      { ...trouble, retryAfterMs: HOUR_MS },
      0,
      context(),
      NOW,
    ).state
    expect(asked.notBeforeAt).toBe(NOW + HOUR_MS)
  })

  it('trouble that does not heal stops it by name, except a question that was not answered', () => {
    const spent = {
      ...trouble,
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

  it('one that stopped and still lives is deleted at its end', () => {
    const keep = { ...forever, idleMs: 30 * MINUTE_MS }
    const stopped = { ...created(), stopped: { reason: 'provider_refused' as const, at: NOW, why: 'no' } }
    expect(rescheduleManagedCache(stopped, context({ keep }), NOW + MINUTE_MS).nextAt).toBe(NOW + 30 * MINUTE_MS)
    // Or looked at once more when it has expired, for what its storage cost.
    expect(rescheduleManagedCache(stopped, context(), NOW + MINUTE_MS).nextAt).toBe(NOW + HOUR_MS)
    expect(rescheduleManagedCache(stopped, context(), NOW + HOUR_MS).nextAt).toBeNull()
  })

  it('one that ended and has expired is not looked at again', () => {
    const keep = { ...forever, idleMs: 30 * MINUTE_MS }
    const ended = { ...created(), stopped: { reason: 'ended' as const, at: NOW, why: '' } }
    expect(rescheduleManagedCache(ended, context({ keep }), NOW + 2 * HOUR_MS).nextAt).toBeNull()
  })

  it('one whose renewal was not answered may live: it is renewed, not made anew, and deleted at its end', () => {
    const at = NOW + 45 * MINUTE_MS
    const { state } = applyManagedCacheFailure(created(), 'renew', trouble, 0, context(), at)
    expect(state.live?.maybeUntilAt).toBe(at + HOUR_MS)
    expect(decideManagedCache(state, context(), NOW + HOUR_MS)).toMatchObject({ do: 'call', op: 'renew' })
    expect(decideManagedCache(state, context(), at + HOUR_MS)).toMatchObject({ do: 'call', op: 'create' })
    const keep = { ...forever, untilAt: NOW + HOUR_MS }
    expect(decideManagedCache(state, context({ keep }), NOW + 61 * MINUTE_MS)).toMatchObject({
      do: 'call',
      op: 'delete',
    })
    const known = applySeen(
      state,
      'renew',
      seen('h/1', at + 2 * HOUR_MS),
      NOW + HOUR_MS,
      HOUR_MS,
      context(),
      NOW + HOUR_MS,
    ).state
    expect(known.live).toMatchObject({ maybeUntilAt: null, expiresAt: at + 75 * MINUTE_MS })
    const refused = applyManagedCacheFailure(
      created(),
      'renew',
      { ...trouble, accepted: false },
      0,
      context(),
      at,
    ).state
    expect(refused.live?.maybeUntilAt).toBeNull()
  })

  it('the kill switch is lifted by itself, an end is not', () => {
    const killed = rescheduleManagedCache(created(), context({ killed: true }), NOW + MINUTE_MS)
    expect(killed).toMatchObject({ nextAt: null, stopped: { reason: 'kill_switch' } })
    expect(rescheduleManagedCache(killed, context(), NOW + 2 * MINUTE_MS)).toMatchObject({
      stopped: null,
      nextAt: NOW + 45 * MINUTE_MS,
    })
    const keep = { ...forever, idleMs: MINUTE_MS }
    const ended = rescheduleManagedCache({ ...created(), live: null }, context({ keep }), NOW + HOUR_MS)
    expect(rescheduleManagedCache(ended, context(), NOW + HOUR_MS).stopped?.reason).toBe('ended')
  })

  it('an adopted one is metered from its creation', () => {
    const state = applyAdopted(newManagedCacheState(NOW, HOUR_MS), seen(), context(), NOW + 30 * MINUTE_MS)
    expect(state).toMatchObject({ storageNanos: 250_000_000, creationNanos: 0, creations: 1, live: { name: 'h/1' } })
  })
})

describe('whose a handle is', () => {
  const print = 'ab'.repeat(12)
  it('reads its own mark to the letter, and no other', () => {
    expect(readMark(markOf('dep_1', `${print}ffff`), 'dep_1')).toBe(print)
    for (const other of [
      '',
      'x',
      `pilotlight:dep_2:${print}`,
      `pilotlight:dep_1:${print}:x`,
      `pilotlight:dep_1:${print.slice(1)}`,
      ` pilotlight:dep_1:${print}`,
      `PILOTLIGHT:dep_1:${print}`,
      `pilotlight:dep_1:${print.toUpperCase()}`,
    ])
      expect(readMark(other, 'dep_1')).toBeNull()
  })

  const lacking = { ...newManagedCacheState(NOW, HOUR_MS) }
  const has = created()
  const ended = { ...lacking, stopped: { reason: 'ended' as const, at: NOW, why: '' } }
  const idle = { inFlight: false, dropping: false, now: NOW }
  it.each([
    ['keeps the one in the table', 'h/1', NOW + HOUR_MS, has, idle, 'keep'],
    ['deletes a second one', 'h/2', NOW + HOUR_MS, has, idle, 'delete'],
    ['adopts what the table lacks', 'h/2', NOW + HOUR_MS, lacking, idle, 'adopt'],
    [
      'adopts in place of one that expired',
      'h/2',
      NOW + 9 * HOUR_MS,
      has,
      { ...idle, now: NOW + 2 * HOUR_MS },
      'adopt',
    ],
    ['does not adopt what has expired itself', 'h/2', NOW, lacking, idle, 'delete'],
    ['deletes where none is wanted', 'h/2', NOW + HOUR_MS, ended, idle, 'delete'],
    ['leaves alone while a call is in flight', 'h/2', NOW + HOUR_MS, lacking, { ...idle, inFlight: true }, 'leave'],
    ['leaves alone what is being deleted', 'h/2', NOW + HOUR_MS, lacking, { ...idle, dropping: true }, 'leave'],
  ] as const)('%s', (_, name, expiresAt, state, around, verdict) => {
    expect(judgeListed(name, expiresAt, state, around)).toBe(verdict)
  })
})
