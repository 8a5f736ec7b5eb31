import { describe, expect, it } from 'vitest'
import { applyArrivals, flushTally } from '../../../src/core/events/arrived.ts'
import type { Arrival } from '../../../src/core/events/arrived.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import { isWarm } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import type { StopReason } from '../../../src/core/prefix/stop-reasons.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { assumed, context, facts, fiveMinutes, NOON, planned, usage, warmState } from '../../support/sample.ts'

const request = (startedAt: number, reported: Usage): Arrival => ({ startedAt, usage: reported, ttftMs: 120 })
const hit = (startedAt: number) => request(startedAt, usage(10_000, 0))
/** Applies requests of one report at `now`, to a prefix that was registered at noon. */
const arrived = (before: PrefixState, requests: readonly Arrival[], now: number) =>
  applyArrivals(before, requests, now, NOON, { offers: [fiveMinutes], price: facts.price })

describe('real requests', () => {
  it('renew the entry from their own start, and cancel the probe that was due', () => {
    const before = reschedule(warmState(NOON), context(), NOON).state
    const now = NOON + 4 * MINUTE_MS
    const { state, rows } = arrived(before, [hit(now - 2_000)], now)
    expect(state.anchorAt).toBe(now - 2_000)
    expect(state.hits).toBe(1)
    expect(state.lastHit).toEqual({ at: now - 2_000, cachedTokens: 10_000, ttftMs: 120 })
    expect(rows).toContainEqual(expect.objectContaining({ decision: 'cancel' }))
    expect(state.generation).toBeGreaterThan(before.generation)
  })

  it('start neither in the future nor before the registration of the prefix', () => {
    expect(arrived(warmState(NOON), [hit(NOON + HOUR_MS)], NOON + MINUTE_MS).state.anchorAt).toBe(NOON + MINUTE_MS)
    const unwritten = { ...warmState(NOON), anchorAt: null }
    expect(arrived(unwritten, [hit(NOON - HOUR_MS)], NOON + MINUTE_MS).state.lastArrivalAt).toBe(NOON)
  })

  it('never move the anchor back where they are reported out of order', () => {
    const requests = [hit(NOON + 2 * MINUTE_MS), hit(NOON + MINUTE_MS)]
    const { state } = arrived(warmState(NOON), requests, NOON + 3 * MINUTE_MS)
    expect(state).toMatchObject({ anchorAt: NOON + 2 * MINUTE_MS, hits: 2 })
    const late = arrived(state, [hit(NOON + 90_000)], NOON + 4 * MINUTE_MS).state
    expect(late).toMatchObject({ anchorAt: NOON + 2 * MINUTE_MS, hits: 3, lastHit: { at: NOON + 2 * MINUTE_MS } })
  })

  it('are no new demand where their client sent them again, and renew the entry all the same', () => {
    const before = arrived(warmState(NOON), [hit(NOON + MINUTE_MS)], NOON + 3 * MINUTE_MS).state
    const { state } = arrived(before, [{ ...hit(NOON + 2 * MINUTE_MS), again: true }], NOON + 3 * MINUTE_MS)
    expect(state).toMatchObject({ hits: 2, anchorAt: NOON + 2 * MINUTE_MS })
    expect(state.requests).toEqual(before.requests)
    expect(state.lastArrivalAt).toBe(before.lastArrivalAt)
  })

  it('count as misses if they read nothing, and make the entry warm if they wrote it', () => {
    const cold = warmState(NOON, { verdict: 'cold' })
    const wrote = request(NOON + HOUR_MS, usage(0, 10_400))
    expect(arrived(cold, [wrote], NOON + HOUR_MS).state).toMatchObject({
      misses: 1,
      hits: 0,
      verdict: 'warm',
      anchorAt: NOON + HOUR_MS,
    })
  })

  it('prove nothing and use nothing where they could not read the entry, but what they read', () => {
    const before = reschedule(warmState(NOON), context(), NOON).state
    const sent = (used: Usage, bytes?: 'same'): Arrival => ({
      ...request(NOON + MINUTE_MS, used),
      outOfReach: true,
      ...(bytes === undefined ? {} : { bytes }),
    })
    for (const bytes of [undefined, 'same'] as const) {
      for (const used of [usage(0, 0), usage(0, 10_400), { ...usage(0, 0), cacheReadTokens: null }]) {
        const { state, rows } = arrived(before, [sent(used, bytes), sent(used, bytes)], NOON + 2 * MINUTE_MS)
        expect({ ...state, tally: null }).toEqual({ ...before, tally: null })
        expect(state.tally).toMatchObject({ count: 2, hits: 0, misses: 0 })
        expect(rows).toEqual([])
      }
    }
    const { state } = arrived(before, [sent(usage(10_000, 0), 'same')], NOON + 2 * MINUTE_MS)
    expect(state).toMatchObject({ hits: 1, anchorAt: NOON + MINUTE_MS })
  })

  it('leave the entry cold if they wrote less than half of the prefix', () => {
    const cold = warmState(NOON, { verdict: 'cold' })
    const little = request(NOON + HOUR_MS, usage(0, 4_000))
    expect(arrived(cold, [little], NOON + HOUR_MS).state).toMatchObject({ misses: 1, verdict: 'cold', anchorAt: NOON })
  })

  it('are neither hits nor misses if their usage has no cache counts', () => {
    const silent = request(NOON + MINUTE_MS, usage(null, null))
    const { state } = arrived(warmState(NOON), [silent], NOON + MINUTE_MS)
    expect(state).toMatchObject({ hits: 0, misses: 0, anchorAt: NOON, lastArrivalAt: NOON + MINUTE_MS })
    expect(state.tally).toMatchObject({ count: 1, hits: 0, misses: 0 })
  })

  it('end the measured idle gap with the cost of what they read or wrote', () => {
    const stake = { dueAt: NOON + MINUTE_MS, writeNanos: 40_000, readNanos: 3_000 }
    const before = warmState(NOON, { trial: { gapAt: NOON, heldOut: true, paidNanos: 0, stake } })
    const read = arrived(before, [hit(NOON + 2 * MINUTE_MS)], NOON + 2 * MINUTE_MS)
    expect(read.rows).toContainEqual(expect.objectContaining({ type: 'trial', arm: 'held_out', costNanos: 3_000 }))
    expect(read.state).not.toHaveProperty('trial')
    const wrote = request(NOON + 2 * MINUTE_MS, usage(0, 10_000))
    const missed = arrived(before, [wrote], NOON + 2 * MINUTE_MS)
    expect(missed.rows).toContainEqual(expect.objectContaining({ type: 'trial', costNanos: 40_000 }))
  })

  it('change nothing where none came', () => {
    const before = warmState(NOON)
    expect(arrived(before, [], NOON)).toEqual({ state: before, rows: [], counted: [] })
  })
})

describe('a real request for a stopped plan', () => {
  const stopped = (reason: StopReason, change: Partial<PrefixState> = {}) =>
    warmState(NOON, { stopped: { reason, at: NOON, why: '' }, ...change })
  const after = (before: PrefixState) => arrived(before, [hit(NOON + MINUTE_MS)], NOON + MINUTE_MS).state.stopped

  it('starts a plan again that stopped at break-even', () => {
    const auto = context({ keepWarm: planned('auto') })
    const before = reschedule(warmState(NOON, { probesSinceArrival: 99 }), auto, NOON).state
    expect(before.stopped?.reason).toBe('break_even')
    const { state, rows } = arrived(before, [hit(NOON + MINUTE_MS)], NOON + MINUTE_MS)
    expect(state.stopped).toBeNull()
    expect(rows).toContainEqual(expect.objectContaining({ decision: 'resume' }))
    expect(reschedule(state, auto, NOON + MINUTE_MS).state.nextAt).not.toBeNull()
  })

  it('starts an uncacheable prefix again only if it proved an entry', () => {
    expect(after(stopped('uncacheable', { verdict: 'uncacheable' }))).toBeNull()
    const silent = request(NOON + MINUTE_MS, usage(null, null))
    const before = stopped('uncacheable', { verdict: 'uncacheable' })
    expect(arrived(before, [silent], NOON + MINUTE_MS).state.stopped?.reason).toBe('uncacheable')
  })

  it('starts a plan that lost money again only once the loss has decayed', () => {
    const lost = (nanos: number) => stopped('losing_money', { loss: { nanos, at: NOON } })
    expect(after(lost(1_000))).toBeNull()
    expect(after(lost(1e9))?.reason).toBe('losing_money')
  })

  it('does not start an ended session again if it was sent before the end', () => {
    const ended = (at: number) => stopped('session_over', { signal: { kind: 'end', at } })
    expect(after(ended(NOON + 2 * MINUTE_MS))?.reason).toBe('session_over')
    expect(after(ended(NOON))).toBeNull()
  })

  it('does not start a plan that was switched off', () => {
    expect(after(stopped('plan_off'))?.reason).toBe('plan_off')
  })
})

describe('the history of real requests', () => {
  it('has one row a minute', () => {
    let state = warmState(NOON)
    let rows = 0
    for (let second = 0; second < 120; second++) {
      const now = NOON + second * 1_000
      const flushed = flushTally(arrived(state, [hit(now)], now).state, now, false)
      state = flushed.state
      rows += flushed.rows.length
    }
    expect(state.hits).toBe(120)
    expect(rows).toBe(1)
    expect(state.tally?.count).toBe(59)
  })

  it('has a row at once where another row follows', () => {
    const { state } = arrived(warmState(NOON), [hit(NOON + 1_000)], NOON + 1_000)
    const flushed = flushTally(state, NOON + 1_000, true)
    expect(flushed.rows).toEqual([
      { at: NOON + 1_000, type: 'arrival', count: 1, hits: 1, misses: 0, cachedTokens: 10_000 },
    ])
    expect(flushed.state.tally).toBeNull()
  })
})

describe('a stated retention', () => {
  const hour = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
  const offers = [fiveMinutes, hour]
  const wrote = (startedAt: number, retention: string): Arrival => ({
    ...request(startedAt, { ...usage(0, 10_000), cacheWriteByRetention: { [retention]: 10_000 } }),
    bytes: 'same',
  })

  it('is narrowed by two early rewrites in a row if real requests are known to read the entry', () => {
    const missed = [wrote(NOON + 30 * MINUTE_MS, '1h'), wrote(NOON + 60 * MINUTE_MS, '1h')]
    const read = warmState(NOON, { hits: 4, everHit: true }, hour)
    const { state, rows } = applyArrivals(read, missed, NOON + 60 * MINUTE_MS, NOON, { offers })
    expect(state.retention?.ttlMs).toBe(5 * MINUTE_MS)
    expect(rows).toContainEqual(expect.objectContaining({ type: 'decision', decision: 'retention' }))
    const neverRead = applyArrivals(warmState(NOON, {}, hour), missed, NOON + 60 * MINUTE_MS, NOON, { offers }).state
    expect(neverRead.retention?.ttlMs).toBe(HOUR_MS)
    const unproved = missed.map(({ bytes: _given, ...rest }) => rest)
    expect(applyArrivals(read, unproved, NOON + HOUR_MS, NOON, { offers }).state.retention?.ttlMs).toBe(HOUR_MS)
  })

  it('is the one that a real request was granted for its own write', () => {
    const cold = warmState(NOON, { verdict: 'cold' }, hour)
    const { state, rows } = applyArrivals(cold, [wrote(NOON + HOUR_MS, '5m')], NOON + HOUR_MS, NOON, { offers })
    expect(isWarm(state, NOON + HOUR_MS + 4 * MINUTE_MS)).toBe(true)
    expect(isWarm(state, NOON + HOUR_MS + 6 * MINUTE_MS)).toBe(false)
    expect(rows).toContainEqual(
      expect.objectContaining({ decision: 'retention', why: expect.stringContaining('the provider wrote at 5m') }),
    )
  })
})

describe('real requests that read a part', () => {
  const at = NOON + 9 * MINUTE_MS
  const known = warmState(NOON, {}, assumed)
  const read = (tokens: number, before = known, size = {}, body: Partial<Arrival> = {}) =>
    applyArrivals(before, [{ ...request(at, usage(tokens, null, { inputTokens: 12_000 })), ...body }], at, NOON, {
      offers: [assumed],
      price: null,
      open: false,
      unmarked: false,
      size,
    }).state

  it('are misses below a half, also before an answer has counted the prefix', () => {
    expect(read(22)).toMatchObject({ hits: 0, misses: 1, lastHit: null, anchorAt: NOON, retention: known.retention })
    const uncounted = { ...known, measuredTokens: null }
    expect(read(22, uncounted, { estimatedTokens: 4_000 })).toMatchObject({ hits: 0, misses: 1, measuredTokens: null })
    expect(read(3_900, uncounted, { estimatedTokens: 4_000 })).toMatchObject({ hits: 1, misses: 0 })
  })

  it('are hits from a half on, and teach no longer life unless they read it all', () => {
    const before = { ...known, retention: { ...known.retention!, ttlMs: 4 * MINUTE_MS } }
    const part = read(6_000, before, {}, { bytes: 'same' })
    expect(part).toMatchObject({ hits: 1, anchorAt: at, retention: before.retention })
    expect(read(6_000, before)).toMatchObject({ hits: 0, misses: 1, anchorAt: NOON })
    expect(read(9_984, before).retention?.ttlMs).toBe(9 * MINUTE_MS)
  })

  it('lift a stop for want of caching only where they read it all', () => {
    const why = 'this prefix is not being cached'
    const stopped = { reason: 'uncacheable' as const, at: NOON, why }
    const before = { ...known, verdict: 'uncacheable' as const, stopped }
    expect(read(6_000, before)).toMatchObject({ verdict: 'uncacheable', stopped })
    expect(read(9_984, before)).toMatchObject({ verdict: 'warm', stopped: null })
    const late = applyArrivals(before, [request(NOON - 1, usage(9_984, null))], at, NOON - MINUTE_MS, {
      offers: [assumed],
    })
    expect(late.state).toMatchObject({ verdict: 'warm', stopped: null, anchorAt: NOON })
  })

  it('are neither hits nor misses where sums over several samplings may hide a cold start', () => {
    const sums = { ...usage(24_000, 16_000), summed: true as const }
    const cold = arrived(warmState(NOON), [request(at, sums)], at).state
    expect(cold).toMatchObject({ hits: 0, misses: 0, anchorAt: NOON })
    const warm = arrived(warmState(NOON), [request(at, { ...usage(24_000, 900), summed: true })], at).state
    expect(warm).toMatchObject({ hits: 1, misses: 0, anchorAt: at })
  })

  it('prove nothing where their usage is impossible', () => {
    const { state } = arrived(warmState(NOON), [request(at, usage(12_000, 0, { inputTokens: 11_000 }))], at)
    expect(state).toMatchObject({ hits: 0, misses: 0, lastHit: null, anchorAt: NOON, lastArrivalAt: at })
  })
})
