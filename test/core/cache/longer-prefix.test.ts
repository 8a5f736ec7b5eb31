import { describe, expect, it } from 'vitest'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import { belief } from '../../../src/core/cache/belief.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { isRenewedByLonger } from '../../../src/core/cache/longer-prefix.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { assumed, context, facts, fiveMinutes, NOON, usage, warmState } from '../../support/sample.ts'
import { applyRenewedByLonger } from '../../../src/core/events/renewed-by-longer.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

/** A shorter prefix that requests of a longer one renew. */

const longer = { id: 'pfx_0_longer', retention: '5m' }

function renewed(state: PrefixState, at: number): PrefixState {
  const change = applyRenewedByLonger(state, { ...longer, at })
  if (change === null) throw new Error('it was not renewed')
  return change.state
}

const keep = (startedAt: number, read: number, written: number) =>
  ({
    startedAt,
    latencyMs: 300,
    purpose: 'keep',
    primitive: 'zero_output',
    usage: usage(read, written),
    model: 'sample-1',
  }) as const

describe('a request of a longer prefix', () => {
  it('renews the shorter one at no cost, and says so', () => {
    const change = applyRenewedByLonger(warmState(NOON), { ...longer, at: NOON + 4 * MINUTE_MS })
    expect(change?.state).toMatchObject({
      anchorAt: NOON + 4 * MINUTE_MS,
      costNanos: 0,
      probes: 0,
      probesSinceArrival: 0,
    })
    expect(change?.rows).toMatchObject([{ type: 'decision', decision: 'inside', at: NOON + 4 * MINUTE_MS }])
    expect(change?.rows[0]).toHaveProperty('why', expect.stringContaining('pfx_0_longer'))
    expect(belief(change!.state, NOON + 8 * MINUTE_MS, 0)).toMatchObject({
      state: 'warm',
      warmUntil: NOON + 9 * MINUTE_MS,
    })
    expect(belief(change!.state, NOON + 8 * MINUTE_MS, 0).why).toContain('a longer prefix')
  })

  it('delays the probe of the shorter one until the longer was read', () => {
    const state = renewed(warmState(NOON), NOON + 4 * MINUTE_MS)
    const lapseAt = NOON + 9 * MINUTE_MS
    expect(decide(state, context(), lapseAt - 23_000)).toMatchObject({ do: 'wait', untilAt: lapseAt - 11_500 })
    expect(decide(state, context(), lapseAt - 11_500)).toMatchObject({ do: 'send', purpose: 'keep' })
    expect(decide(warmState(lapseAt - 5 * MINUTE_MS), context(), lapseAt - 23_000)).toMatchObject({ do: 'send' })
  })

  it('does not renew the shorter one a moment before its own request', () => {
    const change = applyRenewedByLonger(warmState(NOON), { ...longer, at: NOON - 1_000 })
    expect(change).toMatchObject({ state: { anchorAt: NOON }, rows: [] })
    expect(decide(change!.state, context(), NOON + 5 * MINUTE_MS - 23_000)).toMatchObject({ do: 'wait' })
    expect(applyRenewedByLonger(change!.state, { ...longer, at: NOON - 1_000 })).toBeNull()
  })

  it.each<[string, PrefixState, Partial<typeof longer>, number]>([
    ['is a minute older than its own evidence', warmState(NOON), {}, NOON - MINUTE_MS],
    ['comes after it lapsed', warmState(NOON), {}, NOON + 5 * MINUTE_MS],
    ['marks it for another time', warmState(NOON), { retention: '1h' }, NOON + MINUTE_MS],
    ['meets one that was never warm', { ...warmState(NOON), verdict: 'none', anchorAt: null }, {}, NOON + MINUTE_MS],
    ['meets one that is not cached', warmState(NOON, { verdict: 'uncacheable' }), {}, NOON + MINUTE_MS],
    ['meets one whose retention is our assumption', warmState(NOON, {}, assumed), {}, NOON + MINUTE_MS],
    [
      'meets one whose retention is fixed',
      warmState(NOON, {}, { ...fiveMinutes, kind: 'fixed' }),
      {},
      NOON + MINUTE_MS,
    ],
  ])('changes nothing where it %s', (_, state, change, at) => {
    expect(applyRenewedByLonger(state, { ...longer, ...change, at })).toBeNull()
  })

  it('earns the shorter one no saving, because its own keep-alives were not needed', () => {
    const own = applyAnswer(warmState(NOON), { ...keep(NOON, 0, 10_000), purpose: 'write' }, context(), 0).state
    const carried = renewed(own, NOON + 4 * MINUTE_MS)
    const hit = [{ startedAt: NOON + 8 * MINUTE_MS, usage: usage(10_000, 0), ttftMs: 200 }]
    const used = applyArrivals(carried, hit, NOON + 8 * MINUTE_MS, NOON, { offers: [fiveMinutes], price: facts.price })
    expect(used.state).toMatchObject({ hits: 1, savedNanos: 0, credits: 0 })
    // The same hit is a saving where its own keep-alive kept the entry.
    const kept = applyAnswer(own, keep(NOON + 4 * MINUTE_MS, 10_000, 0), context(), 0).state
    expect(
      applyArrivals(kept, hit, NOON + 8 * MINUTE_MS, NOON, { offers: [fiveMinutes], price: facts.price }).state.credits,
    ).toBe(1)
  })
})

describe('an answer that finds the entry gone', () => {
  const carried = renewed(renewed(warmState(NOON), NOON + 4 * MINUTE_MS), NOON + 8 * MINUTE_MS)

  it('ends the belief in such renewals, not in the retention', () => {
    const change = applyAnswer(carried, keep(NOON + 12 * MINUTE_MS, 0, 10_000), context(), 0)
    expect(change.rows).toContainEqual(expect.objectContaining({ decision: 'inside_refuted' }))
    expect(change.state.retention).toEqual(carried.retention)
    expect(isRenewedByLonger(change.state)).toBe(false)
    expect(applyRenewedByLonger(change.state, { ...longer, at: NOON + 13 * MINUTE_MS })).toBeNull()
  })

  it('does the same when it answers a real request', () => {
    const miss = [{ startedAt: NOON + 12 * MINUTE_MS, usage: usage(0, 10_000), ttftMs: 900 }]
    const change = applyArrivals({ ...carried, hits: 3 }, miss, NOON + 12 * MINUTE_MS, NOON, {
      offers: [fiveMinutes],
      price: facts.price,
    })
    expect(change.rows).toContainEqual(expect.objectContaining({ decision: 'inside_refuted' }))
    expect(change.state.retention).toEqual(carried.retention)
    expect(applyRenewedByLonger(change.state, { ...longer, at: NOON + 13 * MINUTE_MS })).toBeNull()
  })

  it('is an early miss within the own retention', () => {
    const early = renewed(warmState(NOON), NOON + MINUTE_MS)
    const change = applyAnswer(early, keep(NOON + 2 * MINUTE_MS, 0, 10_000), context(), 0)
    expect(change.rows).not.toContainEqual(expect.objectContaining({ decision: 'inside_refuted' }))
    expect(change.state.retention).toMatchObject({ earlyMisses: 1 })
  })

  it('is a lapse after both retentions, and refutes nothing', () => {
    const change = applyAnswer(carried, keep(NOON + 2 * HOUR_MS, 0, 10_000), context(), 0)
    expect(change.rows).not.toContainEqual(expect.objectContaining({ decision: 'inside_refuted' }))
  })
})
