import { describe, expect, it } from 'vitest'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import type { PlanContext } from '../../../src/core/planning/plan.ts'
import { retentionFor } from '../../../src/core/planning/probe-policy.ts'
import type { Holding } from '../../../src/core/planning/probe-policy.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import {
  cheaperAlternative,
  rechosenRetention,
  firstRetention,
  firstRetentionWhy,
} from '../../../src/core/planning/retention-choice.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import type { ModelFacts, RetentionOffer } from '../../../src/core/model/facts.ts'
import { assumed, context, facts, fiveMinutes, NOON, planned, usage, warmState } from '../../support/sample.ts'
import { gapsAfterArrival } from '../../../src/core/demand/idle-gaps.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const oneHour: RetentionOffer = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
/** Writes at 1.25 and at twice the input price, reads at a tenth. */
const both: ModelFacts = {
  ...facts,
  retentions: [fiveMinutes, oneHour],
  price: { ...facts.price!, cacheWriteNanosPerMTok: { '5m': 3_750_000_000, '1h': 6_000_000_000 } },
}

function auto(change: Partial<PlanContext> = {}): PlanContext {
  return context({ keepWarm: planned('auto'), facts: both, open: true, ...change })
}

/** The state after real requests with these idle gaps between them, the last at noon. */
function gapsOf(lengthsMs: readonly number[]): readonly number[] {
  let at = NOON - lengthsMs.reduce((sum, length) => sum + length, 0)
  return lengthsMs.reduce<readonly number[]>((gaps, length) => {
    const before = at
    at += length
    return gapsAfterArrival(gaps, before, at)
  }, [])
}

function cold(lengthsMs: readonly number[], offer = oneHour, change: Partial<PrefixState> = {}): PrefixState {
  return warmState(NOON, { verdict: 'cold', lastArrivalAt: NOON, gaps: gapsOf(lengthsMs), ...change }, offer)
}

const daily = Array.from({ length: 30 }, (_, day) => DAY_MS + (day % 5) * MINUTE_MS)
const bursts = Array.from({ length: 40 }, (_, index) => (12 + (index % 7) * 6) * MINUTE_MS)

describe('the first retention', () => {
  it('is the longer one by similar traffic, whatever the hour', () => {
    const hours = Array.from({ length: 24 }, (_, hour) => firstRetention(auto(), NOON + hour * HOUR_MS))
    expect(new Set(hours)).toEqual(new Set(['1h']))
  })

  it('explains its costs and how to choose another, unless a caller chose it', () => {
    expect(firstRetentionWhy(auto(), '1h', NOON)).toMatch(
      /^written at 1h, chosen by the planner: judging by gaps of similar traffic, a gap would cost about \$[\d.e-]+, instead of \$[\d.e-]+ at 5m; set cache.retention/,
    )
    const always = firstRetentionWhy(auto({ keepWarm: planned('always') }), '1h', NOON)
    expect(always).toContain('a write and a day of renewals cost about $')
    expect(firstRetentionWhy(auto(), '5m', NOON)).toBeNull()
    expect(firstRetentionWhy(auto({ keepWarm: planned('off') }), '5m', NOON)).toBeNull()
  })

  it('is the model’s default for {"probes": N} and for off', () => {
    expect(firstRetention(auto({ keepWarm: planned('off') }), NOON)).toBeNull()
    expect(firstRetention(auto({ keepWarm: planned({ probes: 3 }) }), NOON)).toBeNull()
  })

  it('is the one with the cheapest day of renewals for plan always', () => {
    expect(firstRetention(auto({ keepWarm: planned('always') }), NOON)).toBe('1h')
    const dear = { ...both.price!, cacheWriteNanosPerMTok: { '5m': 3_750_000_000, '1h': 600_000_000_000 } }
    expect(firstRetention(auto({ keepWarm: planned('always'), facts: { ...both, price: dear } }), NOON)).toBe('5m')
  })

  it('is none without a known price or length, or that reads do not renew', () => {
    const priced = { ...both.price!, cacheWriteNanosPerMTok: { '5m': 3_750_000_000 } }
    expect(firstRetention(auto({ facts: { ...both, price: priced } }), NOON)).toBe('5m')
    expect(firstRetention(auto({ facts: { ...both, price: null } }), NOON)).toBeNull()
    expect(firstRetention(auto({ facts: { ...both, retentions: [] } }), NOON)).toBeNull()
    const guessed = { ...both, retentions: [fiveMinutes, { ...assumed, name: '1h', ttlMs: HOUR_MS }] }
    expect(firstRetention(auto({ facts: guessed }), NOON)).toBe('5m')
    for (const kind of ['fixed', 'minimum'] as const) {
      const unrenewed = { ...both, retentions: [fiveMinutes, { ...oneHour, kind }] }
      expect(firstRetention(auto({ facts: unrenewed }), NOON)).toBe('5m')
    }
  })

  it('is one whose write fits into the daily budget, where there is one', () => {
    // 40,000 tokens at the worst: 0.15 dollars at 5m, 0.24 at 1h.
    const within = (usd: number) => auto({ keepWarm: planned('auto', { budgetNanosPerDay: usd * 1e9 }) })
    expect(firstRetention(within(0.2), NOON)).toBe('5m')
    expect(firstRetention(within(0.4), NOON)).toBe('1h')
    expect(firstRetention(within(0.01), NOON)).toBe('1h')
  })
})

describe('a retention that is chosen again', () => {
  it('becomes the shorter one where requests come once a day, and says why', () => {
    const change = rechosenRetention(cold(daily), auto(), NOON + 2 * HOUR_MS)
    expect(change?.state.retention).toEqual(learnedRetention(fiveMinutes))
    expect(change?.rows).toHaveLength(1)
    expect(change?.rows[0]).toMatchObject({ type: 'decision', decision: 'retention', at: NOON + 2 * HOUR_MS })
    expect(change?.rows[0]).toHaveProperty('why', expect.stringContaining('written at 5m instead of 1h from now on'))
    expect(change?.rows[0]).toHaveProperty('why', expect.stringContaining('by its last 30 gaps'))
  })

  it('becomes the longer one where requests return within it', () => {
    expect(rechosenRetention(cold(bursts, fiveMinutes), auto(), NOON + 2 * HOUR_MS)?.state.retention?.name).toBe('1h')
    expect(rechosenRetention(cold(bursts), auto(), NOON + 2 * HOUR_MS)).toBeNull()
  })

  it('counts the value of a cold start', () => {
    const valued = auto({ keepWarm: planned('auto', { latencyValueNanos: 1e9 }) })
    expect(rechosenRetention(cold(daily, fiveMinutes), auto(), NOON)).toBeNull()
    expect(rechosenRetention(cold(daily, fiveMinutes), valued, NOON)?.state.retention?.name).toBe('1h')
  })

  it('stays while the entry may exist, a caller decides, or the plan does not choose', () => {
    const state = cold(daily)
    const kept: [PrefixState, PlanContext][] = [
      [{ ...state, verdict: 'warm' }, auto()],
      [{ ...state, verdict: 'unknown' }, auto()],
      [{ ...state, verdict: 'uncacheable' }, auto()],
      [{ ...state, asWritten: true }, auto()],
      [{ ...state, retention: null }, auto()],
      [state, context({ keepWarm: planned('auto'), facts: both })],
      [state, auto({ keepWarm: planned('off') })],
      [state, auto({ keepWarm: planned({ probes: 4 }) })],
      [state, auto({ facts: { ...both, price: null } })],
    ]
    for (const [one, how] of kept) expect(rechosenRetention(one, how, NOON + MINUTE_MS)).toBeNull()
    // An entry that was warm an hour ago is gone.
    expect(rechosenRetention({ ...state, verdict: 'warm' }, auto(), NOON + 2 * HOUR_MS)).not.toBeNull()
  })

  it('changes where the provider does not keep the stated time', () => {
    const broken = { ...learnedRetention(oneHour), ttlMs: 5 * MINUTE_MS, statedTtlMs: HOUR_MS }
    const change = rechosenRetention(cold(bursts, oneHour, { retention: broken }), auto(), NOON + 2 * HOUR_MS)
    expect(change?.state.retention?.name).toBe('5m')
  })

  it('does not alternate where both cost about the same', () => {
    const five: Holding = {
      name: '5m',
      ttlMs: 5 * MINUTE_MS,
      everyMs: 4.5 * MINUTE_MS,
      write: 1.25,
      read: 0.1,
      probe: 0.1,
    }
    const foresight = { lengthsMs: [48 * HOUR_MS], weights: [1], gapCount: 30 }
    const at = (write: number, standing?: string) =>
      retentionFor([five, { ...five, name: '1h', ttlMs: HOUR_MS, everyMs: HOUR_MS, write }], foresight, 0, standing)
        ?.holding.name
    // A lapse costs 1.15 at 5m; at 1h a little more, a little less, and clearly less.
    expect([at(1.28), at(1.28, '5m'), at(1.28, '1h')]).toEqual(['1h', '5m', '1h'])
    expect([at(1.22, '5m'), at(1.22, '1h')]).toEqual(['5m', '1h'])
    expect(at(1.1, '5m')).toBe('1h')
    expect(at(1.4, '1h')).toBe('5m')
  })
})

describe('the retention that real requests write', () => {
  const wrote = (byRetention: Record<string, number>, total = 12_000) => ({
    startedAt: NOON + 2 * HOUR_MS,
    usage: usage(0, total, { cacheWriteByRetention: byRetention }),
    ttftMs: null,
  })
  const after = (state: PrefixState, by: Record<string, number>, open = true) =>
    applyArrivals(state, [wrote(by)], NOON + 2 * HOUR_MS, NOON, { offers: both.retentions, price: both.price, open })

  it.each([
    ['5m', oneHour, { '5m': 12_000, '1h': 0 }],
    ['1h', fiveMinutes, { '5m': 0, '1h': 12_000 }],
    ['1h', fiveMinutes, { '5m': 1_000, '1h': 11_000 }],
  ])('is planned by, where it is %s and the planner chose another', (name, chosen, by) => {
    const { state, rows } = after(cold([], chosen), by)
    expect(state).toMatchObject({ asWritten: true, verdict: 'warm', retention: { name } })
    expect(state.retention).not.toHaveProperty('grantedName')
    const row = rows.find((one) => one.type === 'decision' && one.decision === 'retention')
    expect(row).toHaveProperty('why', expect.stringContaining(`real requests write it at ${name}`))
    expect(decide(state, auto(), NOON + 2 * HOUR_MS + MINUTE_MS).why).toContain(`at ${name}: `)
    expect(decide(state, auto(), NOON + 2 * HOUR_MS + MINUTE_MS).why).toContain(
      'at the retention that real requests write',
    )
    // From here on the choice is the caller's.
    expect(rechosenRetention({ ...state, verdict: 'cold', gaps: gapsOf(daily) }, auto(), NOON + DAY_MS)).toBeNull()
  })

  it('changes nothing where it is the chosen one or where usage does not show it', () => {
    for (const by of [{ '1h': 12_000 }, { '1h': 10_000, '5m': 2_000 }, {}]) {
      const { state } = after(cold([]), by)
      expect(state.retention).toEqual(learnedRetention(oneHour))
      expect(state.asWritten).toBeUndefined()
    }
  })

  it('is followed again when callers change their marker', () => {
    const { state } = after(cold([]), { '5m': 12_000 })
    const later = applyArrivals(
      { ...state, verdict: 'cold' },
      [{ ...wrote({ '1h': 12_000 }), startedAt: NOON + 5 * HOUR_MS }],
      NOON + 5 * HOUR_MS,
      NOON,
      { offers: both.retentions, price: both.price, open: true },
    )
    expect(later.state.retention?.name).toBe('1h')
  })

  it('counts as a smaller grant where a caller fixed the retention', () => {
    const { state } = after(cold([]), { '5m': 12_000 }, false)
    expect(state.retention).toMatchObject({ name: '1h', grantedName: '5m', ttlMs: 5 * MINUTE_MS })
    expect(state.asWritten).toBeUndefined()
  })
})

describe('the advice of a cheaper retention', () => {
  it('gives both costs, by similar traffic and by own gaps', () => {
    const fresh = { measuredTokens: null, retention: learnedRetention(fiveMinutes) }
    const first = cheaperAlternative(fresh, auto(), NOON)
    expect(first).toMatchObject({ name: '1h', gapCount: 0 })
    expect(first!.nanos).toBeLessThan(first!.insteadOfNanos)
    expect(cheaperAlternative(cold(daily), auto(), NOON)).toMatchObject({ name: '5m', gapCount: 30 })
  })

  it('is absent where the one in force is best, or the plan ignores savings', () => {
    expect(cheaperAlternative(cold(bursts), auto(), NOON)).toBeNull()
    expect(cheaperAlternative(cold(bursts, fiveMinutes), auto({ keepWarm: planned('always') }), NOON)).toBeNull()
    expect(cheaperAlternative(cold(bursts, assumed), auto(), NOON)).toBeNull()
  })
})
