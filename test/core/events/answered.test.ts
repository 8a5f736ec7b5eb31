import { describe, expect, it } from 'vitest'
import { belief } from '../../../src/core/cache/belief.ts'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import { applyArrivals, flushTally } from '../../../src/core/events/arrived.ts'
import { applyFailure } from '../../../src/core/events/failed.ts'
import { isWarm, newState } from '../../../src/core/prefix/state.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import type { Answer } from '../../../src/core/events/answered.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import {
  assumed,
  context,
  facts,
  fiveMinutes,
  NOON,
  planned,
  silentFacts,
  usage,
  warmState,
} from '../../support/sample.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import type { Purpose } from '../../../src/core/prefix/receipt.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

function answer(startedAt: number, purpose: Purpose, said: Usage): Answer {
  return { startedAt, latencyMs: 400, purpose, primitive: 'zero_output', usage: said, model: 'sample-1' }
}

const fresh = (offer = fiveMinutes): PrefixState => newState(NOON, '2026-11-16', learnedRetention(offer))

describe('receipts where writes are reported', () => {
  it('a write makes it warm from the start of the request', () => {
    const { state, rows } = applyAnswer(fresh(), answer(NOON, 'write', usage(0, 10_000)), context(), null)
    expect(rows).toMatchObject([{ type: 'receipt', kind: 'written' }])
    expect(isWarm(state, NOON + 5 * MINUTE_MS - 1)).toBe(true)
    expect(isWarm(state, NOON + 5 * MINUTE_MS)).toBe(false)
    expect(state.measuredTokens).toBe(10_000)
    // 10,000 tokens at $3.75 and 5 at $3 a million
    expect(state.costNanos).toBe(10_000 * 3_750 + 5 * 3_000)
  })

  it('a read renews it', () => {
    const { state } = applyAnswer(
      warmState(NOON),
      answer(NOON + 4 * MINUTE_MS, 'keep', usage(10_000, 0)),
      context(),
      null,
    )
    expect(state.lastReceipt?.kind).toBe('full')
    expect(isWarm(state, NOON + 8 * MINUTE_MS)).toBe(true)
    expect(state.probesSinceArrival).toBe(1)
  })

  it('a keep-alive that had to write is cold: always goes on and says so, every other plan stops and says what restarts it', () => {
    const surprise = answer(NOON + 4 * MINUTE_MS, 'keep', usage(0, 10_000))
    const always = applyAnswer(warmState(NOON), surprise, context(), null)
    expect(always.state.lastReceipt?.kind).toBe('cold')
    expect(always.state.stopped).toBeNull()
    expect(always.rows).toContainEqual(expect.objectContaining({ type: 'decision', decision: 'rewrite' }))
    const auto = applyAnswer(warmState(NOON), surprise, context({ keepWarm: planned('auto') }), null)
    expect(auto.state.stopped?.reason).toBe('surprise_write')
    expect(auto.state.stopped?.why).toContain('real request')
  })

  it('read 0 and write 0 is uncacheable and stops the plan', () => {
    const { state } = applyAnswer(fresh(), answer(NOON, 'write', usage(0, 0)), context(), null)
    expect(state.lastReceipt?.kind).toBe('uncacheable')
    expect(reschedule(state, context(), NOON).state).toMatchObject({ nextAt: null, stopped: { reason: 'uncacheable' } })
    expect(belief(state, NOON, 0).state).toBe('uncacheable')
  })

  it('part of it read is partial', () => {
    const { state } = applyAnswer(warmState(NOON), answer(NOON + MINUTE_MS, 'keep', usage(4_000, 0)), context(), null)
    expect(state.lastReceipt?.kind).toBe('partial')
  })
})

describe('receipts where writes are not reported', () => {
  const silent = context({ facts: silentFacts })
  const zero = usage(0, null)

  it('the first answer that read nothing is unknown, and a second that reads makes it warm', () => {
    const first = applyAnswer(fresh(assumed), answer(NOON, 'write', zero), silent, null).state
    expect(first.lastReceipt?.kind).toBe('unknown')
    expect(belief(first, NOON + 1, 0).state).toBe('unknown')
    const second = applyAnswer(first, answer(NOON + 5_000, 'verify', usage(9_984, null)), silent, null).state
    expect(second.lastReceipt?.kind).toBe('full')
    expect(belief(second, NOON + 6_000, 0).state).toBe('warm')
  })

  it('two that read nothing, never a hit: uncacheable', () => {
    const first = applyAnswer(fresh(assumed), answer(NOON, 'write', zero), silent, null).state
    expect(applyAnswer(first, answer(NOON + 5_000, 'verify', zero), silent, null).state.lastReceipt?.kind).toBe(
      'uncacheable',
    )
  })

  it('where two probes make an entry, the third decides', () => {
    const seeded = context({ facts: { ...silentFacts, probesToSeed: 2 } })
    const first = applyAnswer(fresh(assumed), answer(NOON, 'write', zero), seeded, null).state
    const second = applyAnswer(first, answer(NOON + 5_000, 'verify', zero), seeded, null).state
    expect(second.lastReceipt).toMatchObject({ kind: 'unknown' })
    const third = applyAnswer(second, answer(NOON + 10_000, 'verify', zero), seeded, null).state
    expect(third.lastReceipt?.kind).toBe('uncacheable')
    const read = applyAnswer(second, answer(NOON + 10_000, 'verify', usage(9_984, null)), seeded, null).state
    expect(read.lastReceipt?.kind).toBe('full')
  })

  it('two in a row after a hit mean cold', () => {
    const hit = warmState(NOON, { everHit: true }, assumed)
    const first = applyAnswer(hit, answer(NOON + 9 * MINUTE_MS, 'keep', zero), silent, null).state
    expect(first.lastReceipt?.kind).toBe('unknown')
    const second = applyAnswer(first, answer(NOON + 9 * MINUTE_MS + 5_000, 'verify', zero), silent, null).state
    expect(second.lastReceipt?.kind).toBe('cold')
    expect(belief(second, NOON + 10 * MINUTE_MS, 0).state).toBe('cold')
  })

  it('a lapse that healed itself narrows the assumed retention', () => {
    const hit = warmState(NOON, { everHit: true }, assumed)
    const first = applyAnswer(hit, answer(NOON + 9 * MINUTE_MS, 'keep', zero), silent, null).state
    const second = applyAnswer(
      first,
      answer(NOON + 9 * MINUTE_MS + 5_000, 'verify', usage(9_984, null)),
      silent,
      null,
    ).state
    expect(second.retention?.ttlMs).toBeLessThan(9 * MINUTE_MS)
    expect(second.retention?.assumed).toBe(true)
  })

  it('a missing usage field is unknown, not a miss', () => {
    const { state } = applyAnswer(
      warmState(NOON, { everHit: true }, assumed),
      answer(NOON + MINUTE_MS, 'keep', usage(null, null)),
      silent,
      null,
    )
    expect(state.lastReceipt?.kind).toBe('unknown')
    expect(state.readZeroInRow).toBe(0)
    expect(state.misses).toBe(0)
    expect(belief(state, NOON + MINUTE_MS, 0).state).toBe('unknown')
  })
})

describe('failed calls', () => {
  const unavailable = { kind: 'provider_unavailable', message: 'down' } as const
  const call = {
    at: NOON,
    failure: unavailable,
    accepted: false,
    permanent: false,
    primitiveRefused: false,
    retryAfterMs: null,
    purpose: 'keep',
    primitive: 'zero_output',
    latencyMs: 10,
  } as const

  it('cost nothing when the provider surely did not take them', () => {
    const { state } = applyFailure(warmState(NOON), call, 5_000, 2)
    expect(state).toMatchObject({ costNanos: 0, failuresInRow: 1 })
  })

  it('are charged at the worst case when nobody knows, and stay in the history as unknown', () => {
    const { state, rows } = applyFailure(warmState(NOON), { ...call, accepted: null }, 5_000, 2)
    expect(state).toMatchObject({ costNanos: 5_000, spentNanos: 5_000 })
    expect(rows[0]).toMatchObject({ type: 'receipt', kind: 'unknown', usage: null, costNanos: 5_000 })
  })

  it('of a refused primitive move to the next one, and stop at the end of the ladder', () => {
    const first = applyFailure(fresh(), { ...call, primitiveRefused: true }, null, 2).state
    expect(first).toMatchObject({ primitiveIndex: 1, stopped: null, failuresInRow: 0 })
    expect(applyFailure(first, { ...call, primitiveRefused: true }, null, 2).state.stopped?.reason).toBe(
      'provider_refused',
    )
  })

  it('that waiting does not heal stop the plan and name themselves', () => {
    const refused = { kind: 'provider_key_refused', message: 'the key was refused' } as const
    expect(applyFailure(fresh(), { ...call, failure: refused }, null, 2).state.stopped?.why).toContain(
      'provider_key_refused',
    )
  })
})

describe('real requests', () => {
  const hit = (startedAt: number) => ({ startedAt, usage: usage(10_000, 0), ttftMs: 120 })

  it('renew the clock from their own start, and cancel the probe that was due', () => {
    const before = reschedule(warmState(NOON), context(), NOON).state
    const now = NOON + 4 * MINUTE_MS
    const { state, rows } = applyArrivals(before, [hit(now - 2_000)], now, NOON, [fiveMinutes])
    expect(state.anchorAt).toBe(now - 2_000)
    expect(state.hits).toBe(1)
    expect(state.lastHit).toEqual({ at: now - 2_000, cachedTokens: 10_000, ttftMs: 120 })
    expect(rows).toContainEqual(expect.objectContaining({ decision: 'cancel' }))
    expect(state.generation).toBeGreaterThan(before.generation)
  })

  it('cannot have started in the future, or before the prefix was known', () => {
    expect(
      applyArrivals(warmState(NOON), [hit(NOON + HOUR_MS)], NOON + MINUTE_MS, NOON, [fiveMinutes]).state.anchorAt,
    ).toBe(NOON + MINUTE_MS)
    const early = applyArrivals({ ...warmState(NOON), anchorAt: null }, [hit(NOON - HOUR_MS)], NOON + MINUTE_MS, NOON, [
      fiveMinutes,
    ]).state
    expect(early.lastArrivalAt).toBe(NOON)
  })

  it('that arrive out of order never move the clock back', () => {
    const { state } = applyArrivals(
      warmState(NOON),
      [hit(NOON + 2 * MINUTE_MS), hit(NOON + MINUTE_MS)],
      NOON + 3 * MINUTE_MS,
      NOON,
      [fiveMinutes],
    )
    expect(state.anchorAt).toBe(NOON + 2 * MINUTE_MS)
  })

  it('start a plan again that had stopped at break-even', () => {
    const stopped = reschedule(
      warmState(NOON, { probesSinceArrival: 99 }),
      context({ keepWarm: planned('auto') }),
      NOON,
    ).state
    expect(stopped.stopped?.reason).toBe('break_even')
    const { state, rows } = applyArrivals(stopped, [hit(NOON + MINUTE_MS)], NOON + MINUTE_MS, NOON, [fiveMinutes])
    expect(state.stopped).toBeNull()
    expect(rows).toContainEqual(expect.objectContaining({ decision: 'resume' }))
    expect(reschedule(state, context({ keepWarm: planned('auto') }), NOON + MINUTE_MS).state.nextAt).not.toBeNull()
  })

  it('that missed count as misses, and make it warm where they wrote it themselves', () => {
    const cold = warmState(NOON, { verdict: 'cold' })
    const wrote = { startedAt: NOON + HOUR_MS, usage: usage(0, 10_400), ttftMs: null }
    const { state } = applyArrivals(cold, [wrote], NOON + HOUR_MS, NOON, [fiveMinutes])
    expect(state).toMatchObject({ misses: 1, hits: 0, verdict: 'warm', anchorAt: NOON + HOUR_MS })
  })

  it('that say nothing about the cache are neither', () => {
    const { state } = applyArrivals(
      warmState(NOON),
      [{ startedAt: NOON + MINUTE_MS, usage: usage(null, null), ttftMs: null }],
      NOON + MINUTE_MS,
      NOON,
      [fiveMinutes],
    )
    expect(state).toMatchObject({ hits: 0, misses: 0, anchorAt: NOON })
  })

  it('are coalesced into one row a minute', () => {
    let state = warmState(NOON)
    let rows = 0
    for (let second = 0; second < 120; second++) {
      const now = NOON + second * 1_000
      const flushed = flushTally(applyArrivals(state, [hit(now)], now, NOON, [fiveMinutes]).state, now, false)
      state = flushed.state
      rows += flushed.rows.length
    }
    expect(state.hits).toBe(120)
    expect(rows).toBe(1)
    expect(state.tally?.count).toBe(59)
  })
})

it('a lapse is a decision with a row, and always then writes again', () => {
  const { state, rows, decision } = reschedule(warmState(NOON), context(), NOON + 6 * MINUTE_MS)
  expect(rows.map((row) => (row.type === 'decision' ? row.decision : ''))).toEqual(['lapse', 'rewrite'])
  expect(decision).toMatchObject({ do: 'send', purpose: 'write' })
  expect(state.verdict).toBe('cold')
})

it('a decision that stands is not written again', () => {
  const first = reschedule(warmState(NOON), context(), NOON)
  expect(first.rows).toHaveLength(1)
  expect(reschedule(first.state, context(), NOON + 1_000).rows).toHaveLength(0)
})

it('what it cost is unknown where the price is', () => {
  const { state } = applyAnswer(
    fresh(),
    answer(NOON, 'write', usage(0, 10_000)),
    context({ facts: { ...facts, price: null } }),
    null,
  )
  expect(state.lastReceipt?.costNanos).toBeNull()
  expect(state.unpricedCalls).toBe(1)
})

describe('a retention that the provider does not honour', () => {
  const hour = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
  const offers = [fiveMinutes, hour]
  const writes = { '5m': 3_750_000_000, '1h': 6_000_000_000 }
  const price = facts.price === null ? null : { ...facts.price, cacheWriteNanosPerMTok: writes }
  const asked = context({ facts: { ...facts, retentions: offers, price } })
  const wrote = (retention: string): Usage => ({ ...usage(0, 10_000), cacheWriteByRetention: { [retention]: 10_000 } })

  it('is noticed by keep-alives that keep finding nothing: shown, and scheduled by from then on', () => {
    let state = applyAnswer(fresh(hour), answer(NOON, 'write', wrote('1h')), asked, null).state
    expect(state.retention?.ttlMs).toBe(HOUR_MS)
    state = applyAnswer(state, answer(NOON + 59 * MINUTE_MS, 'keep', wrote('1h')), asked, null).state
    expect(state.retention?.ttlMs).toBe(HOUR_MS)
    const second = applyAnswer(state, answer(NOON + 118 * MINUTE_MS, 'keep', wrote('1h')), asked, null)
    expect(second.state.retention?.ttlMs).toBe(5 * MINUTE_MS)
    const row = second.rows.find((one) => one.type === 'decision' && one.decision === 'retention')
    expect(row).toMatchObject({ why: expect.stringContaining('gone before their time, twice in a row') })
    const next = reschedule(second.state, asked, NOON + 118 * MINUTE_MS).state.nextAt
    expect(next).toBeLessThan(NOON + 123 * MINUTE_MS)
  })

  it('is noticed by real requests that had to write again, where real requests are known to read it', () => {
    const miss = (startedAt: number) => ({ startedAt, usage: wrote('1h'), ttftMs: null })
    const missed = [miss(NOON + 30 * MINUTE_MS), miss(NOON + 60 * MINUTE_MS)]
    const read = warmState(NOON, { hits: 4, everHit: true }, hour)
    const { state, rows } = applyArrivals(read, missed, NOON + 60 * MINUTE_MS, NOON, offers)
    expect(state.retention?.ttlMs).toBe(5 * MINUTE_MS)
    expect(rows).toContainEqual(expect.objectContaining({ type: 'decision', decision: 'retention' }))
    const stranger = applyArrivals(warmState(NOON, {}, hour), missed, NOON + 60 * MINUTE_MS, NOON, offers).state
    expect(stranger.retention?.ttlMs).toBe(HOUR_MS)
  })

  it('is the one that a real request was granted when it wrote the entry itself', () => {
    const cold = warmState(NOON, { verdict: 'cold' }, hour)
    const one = { startedAt: NOON + HOUR_MS, usage: wrote('5m'), ttftMs: null }
    const { state, rows } = applyArrivals(cold, [one], NOON + HOUR_MS, NOON, offers)
    expect(isWarm(state, NOON + HOUR_MS + 4 * MINUTE_MS)).toBe(true)
    expect(isWarm(state, NOON + HOUR_MS + 6 * MINUTE_MS)).toBe(false)
    expect(rows).toContainEqual(
      expect.objectContaining({ decision: 'retention', why: expect.stringContaining('5m was written') }),
    )
    const again = applyAnswer(state, answer(NOON + 2 * HOUR_MS, 'write', wrote('1h')), asked, null).state
    expect(isWarm(again, NOON + 2 * HOUR_MS + 59 * MINUTE_MS)).toBe(true)
  })
})
