import { describe, expect, it } from 'vitest'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import { restart } from '../../../src/core/events/restarted.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { probeLimit } from '../../../src/core/planning/break-even.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import { newState, readState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { lossLimit } from '../../../src/core/ledger/stop-loss.ts'
import type { ModelFacts, RetentionOffer } from '../../../src/core/model/facts.ts'
import { assumed, context, facts, fiveMinutes, NOON, planned, silentFacts, usage } from '../../support/sample.ts'
import { dayOf, HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const auto = context({ keepWarm: planned('auto') })
/** Of 10,000 tokens: $3.75 a million to write, $0.30 to read. */
const REWRITE = 37_500_000 - 3_000_000

function fresh(offer: RetentionOffer = fiveMinutes): PrefixState {
  return newState(NOON, dayOf(NOON), learnedRetention(offer))
}

function probed(
  state: PrefixState,
  at: number,
  [read, write]: [number | null, number | null],
  purpose: 'write' | 'keep' | 'verify' = 'keep',
  where = auto,
) {
  const answer = { startedAt: at, latencyMs: 1, purpose, primitive: 'zero_output' as const, model: null }
  return applyAnswer(state, { ...answer, usage: usage(read, write) }, where, null).state
}

function used(state: PrefixState, at: number, read = 10_000, of: ModelFacts = facts, now = at) {
  const written = read > 0 ? 0 : 10_000
  return applyArrivals(state, [{ startedAt: at, usage: usage(read, written), ttftMs: null }], now, 0, {
    offers: of.retentions,
    price: of.price,
  })
}

/** Written at noon, kept by a keep-alive every 4.5 minutes. */
function held(probes: number): PrefixState {
  let state = probed(fresh(), NOON, [0, 10_000], 'write')
  for (let n = 1; n <= probes; n++) state = probed(state, NOON + n * 4.5 * MINUTE_MS, [10_000, 0])
  return state
}

describe('a saving', () => {
  it('is credited to the first real hit that only keep-alives made possible, and to no later one', () => {
    const first = used(held(2), NOON + 11 * MINUTE_MS)
    expect(first.rows[0]).toMatchObject({ type: 'saving', kind: 'credited', nanos: REWRITE, at: NOON + 11 * MINUTE_MS })
    expect(first.state).toMatchObject({ savedNanos: REWRITE, credits: 1, unpricedSavings: 0 })
    const later = used(used(first.state, NOON + 12 * MINUTE_MS).state, NOON + 15 * MINUTE_MS).state
    expect(later).toMatchObject({ savedNanos: REWRITE, credits: 1, hits: 3 })
  })

  it('is never earned by a keep-alive itself', () => {
    expect(held(20)).toMatchObject({ savedNanos: 0, credits: 0, hits: 0 })
  })

  it('is not counted again where traffic alone carries the entry', () => {
    expect(used(held(1), NOON + 4.9 * MINUTE_MS).state).toMatchObject({ savedNanos: 0, credits: 0, hits: 1 })
  })

  it('is none where the request read a small part of the prefix', () => {
    expect(used(held(2), NOON + 11 * MINUTE_MS, 600).state).toMatchObject({ savedNanos: 0, credits: 0 })
  })

  it('may come from a keep-alive that had to write, which left an entry', () => {
    const state = probed(probed(fresh(), NOON, [0, 10_000], 'write'), NOON + 6 * MINUTE_MS, [0, 10_000])
    expect(used(state, NOON + 8 * MINUTE_MS).state.savedNanos).toBe(REWRITE)
  })

  it('is none within the retention of a requested write', () => {
    const state = probed(held(1), NOON + 30 * MINUTE_MS, [0, 10_000], 'write')
    expect(used(state, NOON + 32 * MINUTE_MS).state.credits).toBe(0)
  })

  it('uses the time and the price of the granted retention', () => {
    const offers = [{ ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }, fiveMinutes]
    const both = { ...facts, retentions: offers }
    const where = context({ keepWarm: planned('auto'), facts: both })
    const answer = { startedAt: NOON, latencyMs: 1, purpose: 'write' as const, primitive: 'zero_output' as const }
    const wrote = usage(0, 10_000, { cacheWriteByRetention: { '5m': 10_000 } })
    const written = applyAnswer(fresh(offers[0]), { ...answer, usage: wrote, model: null }, where, null).state
    const state = probed(written, NOON + 4 * MINUTE_MS, [10_000, 0], 'keep', where)
    expect(used(state, NOON + 8 * MINUTE_MS, 10_000, both).state.savedNanos).toBe(REWRITE)
  })

  describe('where no caller said what a real request writes', () => {
    const oneHour: RetentionOffer = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
    const rates = { ...facts.price!.cacheWriteNanosPerMTok, '1h': 6_000_000_000 }
    const both = {
      ...facts,
      retentions: [fiveMinutes, oneHour],
      price: { ...facts.price!, cacheWriteNanosPerMTok: rates },
    }
    const where = context({ keepWarm: { ...planned('auto'), holdoutShare: 1 }, facts: both, unmarked: true })
    /** A rewrite at the price of 1h. */
    const LONG = 60_000_000 - 3_000_000
    const said = (state: PrefixState, at: number, [read, by]: [number, Record<string, number>], unmarked: boolean) => {
      const total = Object.values(by).reduce((sum, tokens) => sum + tokens, 0)
      const one = { startedAt: at, usage: usage(read, total, { cacheWriteByRetention: by }), ttftMs: null }
      return applyArrivals(state, [one], at, 0, {
        offers: both.retentions,
        price: both.price,
        open: unmarked,
        unmarked,
      }).state
    }
    const heldLong = (state: PrefixState, at: number): PrefixState =>
      probed(probed(state, at, [0, 10_000], 'write', where), at + 50 * MINUTE_MS, [10_000, 0], 'keep', where)

    it('is priced at the cheapest retention on offer', () => {
      const state = said(heldLong(fresh(oneHour), NOON), NOON + 80 * MINUTE_MS, [10_000, {}], true)
      expect(state).toMatchObject({ credits: 1, savedNanos: REWRITE })
      expect(said(heldLong(fresh(oneHour), NOON), NOON + 80 * MINUTE_MS, [10_000, {}], false).savedNanos).toBe(LONG)
    })

    it('is priced at the retention that a real request wrote', () => {
      for (const unmarked of [true, false]) {
        for (const [name, saved] of [
          ['1h', LONG],
          ['5m', REWRITE],
        ] as const) {
          const wrote = said(fresh(oneHour), NOON, [0, { [name]: 10_000 }], unmarked)
          // Written again at 1h, as by a requested write.
          const long = { ...wrote, retention: learnedRetention(oneHour) }
          const state = said(
            heldLong(long, NOON + 3 * HOUR_MS),
            NOON + 3 * HOUR_MS + 80 * MINUTE_MS,
            [10_000, {}],
            unmarked,
          )
          expect(state, `${name} ${unmarked}`).toMatchObject({ credits: 1, savedNanos: saved })
        }
      }
    })

    it('prices a held-out gap in the same way', () => {
      const used = said(fresh(oneHour), NOON, [10_000, {}], true)
      expect(reschedule(used, where, NOON).state.trial?.stake?.writeNanos).toBe(37_500_000)
      const { unmarked: _, ...marked } = where
      expect(reschedule(used, marked, NOON).state.trial?.stake?.writeNanos).toBe(60_000_000)
    })
  })

  it('uses the learned time where the provider does not keep its own', () => {
    const narrowed = { ttlMs: 4 * MINUTE_MS, statedTtlMs: HOUR_MS, shortestMissGapMs: 5 * MINUTE_MS, missedAt: NOON }
    const opened: PrefixState = { ...fresh(), retention: { ...learnedRetention(fiveMinutes), ...narrowed } }
    const state = probed(probed(opened, NOON, [0, 10_000], 'write'), NOON + 3.5 * MINUTE_MS, [10_000, 0])
    expect(used(state, NOON + 4.8 * MINUTE_MS).state.credits).toBe(0)
    expect(used(state, NOON + 5.2 * MINUTE_MS).state.credits).toBe(1)
  })

  it('is none where reads do not renew', () => {
    const fixed = { ...fiveMinutes, kind: 'fixed' as const }
    const state = probed(probed(fresh(fixed), NOON, [0, 10_000], 'write'), NOON + 4 * MINUTE_MS, [10_000, 0])
    expect(used(state, NOON + 7 * MINUTE_MS).state.credits).toBe(0)
  })

  it('needs the longest possible retention where the provider states none', () => {
    const where = context({ keepWarm: planned('auto'), facts: silentFacts })
    let state = probed(fresh(assumed), NOON, [0, null], 'write', where)
    for (let at = NOON + 8 * MINUTE_MS; at < NOON + 80 * MINUTE_MS; at += 8 * MINUTE_MS)
      state = probed(state, at, [10_000, null], 'keep', where)
    expect(used(state, NOON + 50 * MINUTE_MS, 10_000, silentFacts, NOON + 80 * MINUTE_MS).state.credits).toBe(0)
    expect(used(state, NOON + 81 * MINUTE_MS, 10_000, silentFacts).state.credits).toBe(1)
  })

  it('without a price is counted apart and is in no sum', () => {
    expect(used(held(2), NOON + 11 * MINUTE_MS, 10_000, { ...facts, price: null }).state).toMatchObject({
      savedNanos: 0,
      credits: 1,
      unpricedSavings: 1,
    })
  })

  it('is revoked by a late report that disproves it', () => {
    const credited = used(held(1), NOON + 8 * MINUTE_MS).state
    const { state, rows } = used(credited, NOON + 4 * MINUTE_MS, 10_000, facts, NOON + 9 * MINUTE_MS)
    expect(rows[0]).toMatchObject({ type: 'saving', kind: 'revoked', nanos: REWRITE, at: NOON + 9 * MINUTE_MS })
    expect(state).toMatchObject({ savedNanos: 0, credits: 0 })
    expect(state.loss.nanos).toBeGreaterThan(0)
  })
})

it('a state of an older version is read as one without savings', () => {
  const { gap, savedNanos, credits, unpricedSavings, loss, ...old } = held(1)
  expect(gap.heldUntil).not.toBeNull()
  expect([savedNanos, credits, unpricedSavings, loss.nanos]).toEqual([0, 0, 0, 3_015_000])
  const read = readState(JSON.stringify(old))
  expect(read).toMatchObject({ savedNanos: 0, credits: 0, loss: { nanos: 0 }, gap: { fromAt: null, heldUntil: null } })
  expect(used(read, NOON + 8 * MINUTE_MS).state.credits).toBe(0)
})

describe('the stop-loss', () => {
  const limit = lossLimit(10_000, learnedRetention(fiveMinutes), facts.price) ?? 0

  /** One idle gap: `probes` keep-alives, then a real request much later, which wrote again. */
  function lost(state: PrefixState, from: number, probes: number): PrefixState {
    let next = state
    for (let n = 1; n <= probes; n++) next = probed(next, from + n * 4.5 * MINUTE_MS, [10_000, 0])
    return used(next, from + 2 * HOUR_MS, 0).state
  }

  it('stops at a loss of three rewrites of the prefix, less their reads', () => {
    expect(limit).toBe(3 * REWRITE)
  })

  it('sums idle gaps, each of which is within its own limit', () => {
    const cap = probeLimit(held(0), auto) ?? 0
    expect(cap).toBe(11)
    let state = held(0)
    let gaps = 0
    for (; gaps < 20; gaps++) {
      const at = NOON + gaps * 2 * HOUR_MS
      const decision = decide(state, auto, at + MINUTE_MS)
      if (decision.do === 'stop' && decision.reason === 'losing_money') break
      state = lost(state, at, cap - 3)
    }
    // Eight reads of $0.003 and some uncached tokens each time, against three times $0.0345.
    expect(gaps).toBe(5)
    const decision = decide(state, auto, NOON + gaps * 2 * HOUR_MS)
    expect(decision).toMatchObject({ do: 'stop', reason: 'losing_money' })
    expect(decision.do === 'stop' && decision.why).toMatch(/first real request after 20\d\d-.*PATCH/)
  })

  it('stays while real requests do not read the prefix', () => {
    let state = held(0)
    for (let n = 0; n < 60; n++) {
      const from = NOON + n * 6 * MINUTE_MS
      state = used(probed(state, from + 4.5 * MINUTE_MS, [10_000, 0]), from + 6 * MINUTE_MS, 600).state
    }
    expect(decide(state, auto, NOON + 6 * HOUR_MS + 1)).toMatchObject({ do: 'stop', reason: 'losing_money' })
  })

  it('counts a keep-alive that wrote at what it cost', () => {
    let state = held(0)
    for (let n = 0; n < 3; n++) {
      const from = NOON + n * 10 * MINUTE_MS
      state = used(probed(state, from + 5 * MINUTE_MS, [0, 10_000]), from + 15 * MINUTE_MS, 0).state
    }
    expect(decide(state, auto, NOON + HOUR_MS)).toMatchObject({ do: 'stop', reason: 'losing_money' })
  })

  it('does not stop a plan that saves money', () => {
    let state = held(0)
    let at = NOON
    for (let n = 0; n < 200; n++) {
      for (let probe = 1; probe <= 4; probe++) state = probed(state, at + probe * 4.5 * MINUTE_MS, [10_000, 0])
      at += 20 * MINUTE_MS
      state = used(state, at).state
    }
    expect(state.credits).toBe(200)
    expect(decide(state, auto, at + MINUTE_MS).do).toBe('wait')
  })

  it('does not stop plans other than auto', () => {
    const losing = { ...held(1), loss: { nanos: 10 * limit, at: NOON } }
    for (const plan of ['always', { probes: 50 }] as const)
      expect(decide(losing, context({ keepWarm: planned(plan) }), NOON + 5 * MINUTE_MS).do).not.toBe('stop')
  })

  it('lets a real request start the plan once the loss has decayed by half', () => {
    const stopped: PrefixState = {
      ...held(1),
      loss: { nanos: limit, at: NOON },
      stopped: { reason: 'losing_money', at: NOON, why: '' },
    }
    const days = (count: number): number => NOON + count * 24 * HOUR_MS
    expect(used(stopped, days(6.9), 0).state.stopped?.reason).toBe('losing_money')
    const back = used(stopped, days(7.1), 0)
    expect(back.state.stopped).toBeNull()
    expect(back.rows).toContainEqual(expect.objectContaining({ decision: 'resume' }))
    expect(decide(back.state, auto, days(7.1) + MINUTE_MS).do).toBe('wait')
  })

  it('is cleared by a changed plan', () => {
    const losing = { ...held(1), loss: { nanos: 10 * limit, at: NOON } }
    expect(decide(losing, auto, NOON + 5 * MINUTE_MS)).toMatchObject({ reason: 'losing_money' })
    expect(decide(restart(losing, NOON), auto, NOON + 5 * MINUTE_MS).do).toBe('wait')
  })

  it('measures by a rewrite less a read, as the break-even does', () => {
    const half = { ...facts.price!, cacheReadNanosPerMTok: 2_000_000_000 }
    const dear = context({ keepWarm: planned('auto'), facts: { ...facts, price: half } })
    // Writes at 3.75 and reads at 2: write ÷ read would allow one probe, (write − read) ÷ read allows none.
    expect(probeLimit(held(0), dear)).toBe(0)
    expect(lossLimit(10_000, learnedRetention(fiveMinutes), half)).toBe(3 * 17_500_000)
  })
})
