import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type * as z from 'zod'
import { ledgerAnswer } from '../../src/contract/ledger.ts'
import { ENOUGH_HELD_OUT } from '../../src/core/ledger/holdout-estimate.ts'
import { money } from './page-text.ts'
import { previewAnswer } from '../../src/contract/prefix.ts'

type Answer = z.output<typeof ledgerAnswer>

const SUMS = {
  calls: 12,
  cost_usd: 1.5,
  unpriced_calls: 0,
  credited_usd: 4,
  revoked_usd: 0,
  saved_usd: 4,
  net_usd: 2.5,
  savings: 3,
  unpriced_savings: 0,
  hits: 20,
  misses: 2,
  bot_calls: 0,
  bot_cost_usd: 0,
  bot_unpriced_calls: 0,
}
const LOST = { cost_usd: 2, saved_usd: 0.5, credited_usd: 0.5, net_usd: -1.5 }
const WHY = 'not measured: 7 idle gaps were held out, but a measurement needs 30. Request a longer span'
const UNMEASURED = { held_out_gaps: 7, kept_gaps: 300, modelled_usd: 12, measured: null, why: WHY }
const measured = (low: number, saved: number, high: number): Answer['holdout'] => ({
  ...UNMEASURED,
  held_out_gaps: 41,
  measured: { saved_usd: saved, low_usd: low, high_usd: high, per_gap_usd: saved / 300, confidence: 0.95 },
})

/** An answer as the API gives it: held to its schema, so that the page is not tested on figures that never come. */
function ledger(
  days: Record<string, Partial<typeof SUMS>>,
  totals: Partial<typeof SUMS> = {},
  holdout: Answer['holdout'] = UNMEASURED,
): Answer {
  return ledgerAnswer.parse({
    from: '2026-10-23',
    to: '2026-11-21',
    group: 'day',
    totals: { ...SUMS, ...totals },
    holdout,
    data: Object.entries(days).map(([day, sums]) => ({ day, ...SUMS, ...sums })),
    next_cursor: null,
  })
}
const one = (sums: Partial<typeof SUMS>, holdout?: Answer['holdout']): Answer =>
  ledger({ '2026-11-21': sums }, sums, holdout)

describe('the net, in words', () => {
  it('is a gain or a loss, by name', () => {
    expect(money.net(one({}))).toBe('In the last 30 days warming cost $1.50 and saved $4.00: a net gain of $2.50.')
    expect(money.net(one(LOST))).toBe('In the last 30 days warming cost $2.00 and saved $0.5000: a net loss of $1.50.')
    expect(money.net(one({ saved_usd: 1.5, net_usd: 0 }))).toMatch(/as much as it cost\.$/)
  })

  it('says what is missing in a sum, and calls one that knows nothing unknown, never $0', () => {
    expect(money.net(one({ unpriced_calls: 2, unpriced_savings: 1 }))).toContain(
      'cost $1.50 (without 2 of unknown price) and saved $4.00 (without 1 of unknown price)',
    )
    const unknown = money.net(one({ cost_usd: 0, unpriced_calls: 12, net_usd: 4 }))
    expect(unknown).toBe('In the last 30 days warming cost an unknown amount and saved $4.00: the net is unknown.')
    expect(money.net(one({ saved_usd: 0, savings: 3, unpriced_savings: 3, net_usd: -1.5 }))).toContain(
      'saved an unknown amount',
    )
  })

  it('takes calls that cost nothing for what they are', () => {
    expect(money.net(one({ cost_usd: 0, unpriced_calls: 2, net_usd: 4 }))).toContain(
      'cost $0 (without 2 of unknown price',
    )
    expect(money.net(one({ saved_usd: 0, savings: 0, net_usd: -1.5 }))).toContain('saved $0: a net loss')
  })

  it('says that nothing was booked', () => {
    expect(money.net(ledger({}))).toBe('Nothing was spent and nothing was saved in the last 30 days.')
  })

  it("keeps bots' calls beside it", () => {
    expect(money.bots(one({}))).toBe('')
    expect(money.bots(one({ bot_calls: 2, bot_cost_usd: 0.5 }))).toBe(
      'In addition, 2 calls of bots cost $0.5000; none of these sums include them.',
    )
    expect(money.bots(one({ bot_calls: 1, bot_unpriced_calls: 1 }))).toContain('1 call of bots cost unknown')
  })
})

describe('the proof', () => {
  it('waits for as many held-out gaps as the API does, and says how many there are', () => {
    expect(money.ENOUGH).toBe(ENOUGH_HELD_OUT)
    const { modelled, measured: found, range } = money.proof(one({}))
    expect(modelled).toEqual({
      text: '$12.00',
      note: 'assuming that each of 300 kept idle gaps would have cost a rewrite',
    })
    expect(found.text).toBe('not yet measured: 7 of 30 held-out gaps')
    expect(found.note).toBe('7 idle gaps were held out, but a measurement needs 30. Request a longer span')
    expect(range).toBeNull()
  })

  it('gives the measured saving with its interval, and says on which side of zero it lies', () => {
    const won = money.proof(one({}, measured(3, 8, 13)))
    expect(won.measured.text).toBe('$8.00')
    expect(won.measured.note).toBe(
      '95 % interval from $3.00 to $13.00, by 41 held-out gaps. Keep-alives saved money, with 95 % confidence.',
    )
    expect(won.range).toEqual({ low: 3, mid: 8, high: 13, modelled: 12 })
    expect(money.proof(one({}, measured(-9, -5, -1))).measured.note).toContain('lost money')
    expect(money.proof(one({}, measured(-1, 2, 5))).measured.note).toContain('neither a gain nor a loss is proved')
  })

  it('has no figure where nothing was kept, and none where the API gives none', () => {
    const none = { ...UNMEASURED, held_out_gaps: 0, kept_gaps: 0, modelled_usd: 0 }
    expect(money.proof(one({}, none)).modelled.text).toBe('nothing yet')
    const few = { ...UNMEASURED, held_out_gaps: 31, why: 'not measured: 4 idle gaps were kept' }
    expect(money.proof(one({}, few)).measured).toEqual({
      text: 'not yet measured, after 31 held-out gaps',
      note: '4 idle gaps were kept',
    })
    expect(money.proof({}).modelled.text).toBe('unknown')
    expect(money.proof({}).measured.text).toBe('unknown')
  })

  it('draws the interval with zero on the line, in order', () => {
    const line = money.line({ low: 3, mid: 8, high: 13, modelled: 12 })
    expect(line).not.toBeNull()
    const { zero = 0, low = 0, mid = 0, modelled, high = 0 } = line ?? {}
    expect([zero, low, mid, modelled, high]).toEqual(
      [zero, low, mid, modelled, high].toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    )
    expect(zero).toBeCloseTo(0.04)
    expect(high).toBeCloseTo(0.96)
    expect(money.line(null)).toBeNull()
  })
})

describe('the chart', () => {
  it('has a place for every day, and a column only where something was booked', () => {
    const chart = money.chart(ledger({ '2026-10-23': {}, '2026-11-21': LOST }))
    expect(chart).toMatchObject({ days: 30, zero: 1 })
    expect(chart?.columns.map(({ x }) => Math.round(x * 30 - 0.5))).toEqual([0, 29])
    expect(chart?.marks.map(({ text }) => text)).toEqual(['10-24', '10-31', '11-07', '11-14', '11-21'])
  })

  it('draws what was spent and what was saved to one scale, from zero', () => {
    const chart = money.chart(one({}))
    const [column] = chart?.columns ?? []
    const height = (bar?: { y0: number; y1: number } | null): number => (bar ? bar.y1 - bar.y0 : 0)
    expect(height(column?.saved) / height(column?.spent)).toBeCloseTo(4 / 1.5)
    expect([column?.spent?.y1, column?.saved?.y1]).toEqual([1, 1])
    expect(chart?.lines.map(({ text }) => text)).toEqual(['$5.00', '$2.50', '$0'])
    expect(column?.text).toBe('2026-11-21: spent $1.50, saved $4.00, net $2.50')
  })

  it('draws a saving that was taken back below zero', () => {
    const chart = money.chart(one({ saved_usd: -2, net_usd: -3.5 }))
    const saved = chart?.columns[0]?.saved
    expect(chart?.zero).toBeLessThan(1)
    expect(saved?.y0).toBe(chart?.zero)
    expect(saved?.y1).toBeCloseTo(1)
    expect(chart?.lines.map(({ text }) => text)).toContain('−$2.00')
  })

  it('marks a day with unknown prices, and draws no bar for what is unknown', () => {
    const chart = money.chart(one({ cost_usd: 0, unpriced_calls: 12, unpriced_savings: 1 }))
    expect(chart?.columns[0]).toMatchObject({ spent: null, partial: true })
    expect(chart?.columns[0]?.saved).not.toBeNull()
    expect(chart?.columns[0]?.text).toContain('spent unknown')
    expect(money.chart(one({}))?.columns[0]?.partial).toBe(false)
  })

  it('has no scale where there is nothing to measure by it', () => {
    expect(money.chart(ledger({}))).toMatchObject({ columns: [], lines: [{ text: '$0' }] })
  })

  it('has a scale for the smallest amount there is', () => {
    expect(money.chart(one({ cost_usd: 1e-9, saved_usd: 0 }))?.lines[0]?.text).toBe('$0.000000001')
    expect(money.chart({ ...one({}), data: [{ day: '2026-11-21', calls: 1, cost_usd: 5e-324 }] })?.zero).toBe(1)
  })

  it('keeps every bar within its frame', () => {
    const dollars = fc.double({ min: -1e6, max: 1e6, noNaN: true })
    fc.assert(
      fc.property(fc.array(fc.tuple(dollars, dollars), { maxLength: 9 }), (days) => {
        const data = days.map(([cost, saved], i) => ({
          day: `2026-11-${10 + i}`,
          ...SUMS,
          cost_usd: Math.abs(cost),
          saved_usd: saved,
        }))
        const chart = money.chart({ from: '2026-10-23', to: '2026-11-21', data })
        for (const { spent, saved } of chart?.columns ?? [])
          for (const bar of [spent, saved]) {
            if (bar === null) continue
            expect(bar.y0).toBeGreaterThanOrEqual(-1e-9)
            expect(bar.y1).toBeLessThanOrEqual(1 + 1e-9)
            expect(bar.x1).toBeGreaterThan(bar.x0)
          }
      }),
      { examples: [[[[5e-324, -5e-324]]]] },
    )
  })

  it('is said in a sentence and shown as a table', () => {
    const answer = ledger({ '2026-11-20': LOST, '2026-11-21': { unpriced_calls: 2, cost_usd: 0, calls: 2 } })
    expect(money.caption(answer)).toBe(
      'Spent and saved on each of 30 days: there are entries on 2, and on 1 of them warming cost more than it saved',
    )
    expect(money.caption(ledger({}))).toContain('there are no entries')
    expect(money.days(answer).map(money.cells)).toEqual([
      ['11-20', '12', '$2.00', '$0.5000', '−$1.50', '20 / 2'],
      ['11-21', '2', 'unknown', '$4.00', 'unknown', '20 / 2'],
    ])
    for (const cells of money.days(answer).map(money.cells)) expect(cells).toHaveLength(money.HEADS.length)
    expect(money.days(one({ unpriced_calls: 2 })).map(money.cells)[0]?.[2]).toBe('$1.50 + 2 unknown')
  })

  it('says unknown of whatever an answer does not hold', () => {
    const broken = {
      from: 7,
      to: '<b>',
      totals: 'x',
      holdout: [],
      data: [{ day: '<img>' }, null, 4, { day: '2026-11-20', cost_usd: '9' }],
    }
    expect(money.chart(broken)).toBeNull()
    expect(money.caption(broken)).toBe('')
    expect(money.net(broken)).toBe('Warming cost an unknown amount and saved an unknown amount: the net is unknown.')
    expect(money.days(broken).map(money.cells)).toEqual([['11-20', ...Array(4).fill('unknown'), 'unknown / unknown']])
    for (const nothing of [null, undefined, 5, 'x', []]) expect(money.days(nothing)).toEqual([])
  })
})

describe('stopped plans that need somebody', () => {
  it('say what starts them again, where their reason does not', () => {
    expect(money.again('unverifiable')).toBe('the next real request')
    expect(money.again('a_reason_of_tomorrow')).toBe('unknown')
    expect(money.again('constructor')).toBe('unknown')
    expect(money.again('lapsed', 'it went cold; the next real request starts the plan again')).toBe('')
  })

  const item = {
    id: 'pfx_0_1',
    name: '<img src=x onerror=alert(1)>\u202Etxt',
    provider: 'anthropic',
    model: 'claude-opus-4-8',
    plan: { stopped: { reason: 'losing_money', at: '2026-11-21T09:00:00Z', why: 'too\nmuch', needs_somebody: true } },
  }

  it('are shown with reason, why and names as harmless text', () => {
    expect(money.need(item)).toEqual({
      id: 'pfx_0_1',
      title: '<img src=x onerror=alert(1)>\ufffdtxt',
      who: 'anthropic · claude-opus-4-8',
      reason: 'losing money',
      why: 'too\ufffdmuch',
      again: 'the next real request after the loss has halved, or a change of keep_warm',
      at: Date.parse('2026-11-21T09:00:00Z'),
    })
  })

  it('are no others', () => {
    const rests = { ...item.plan.stopped, needs_somebody: false }
    expect(money.need({ ...item, plan: { stopped: rests } })).toBeNull()
    for (const other of [null, 5, {}, { id: 'x', plan: { stopped: null } }, { plan: item.plan }])
      expect(money.need(other)).toBeNull()
    expect(money.need({ id: 'x', plan: { stopped: { needs_somebody: true } } })).toMatchObject({
      reason: 'unknown',
      why: 'no reason was given',
      again: 'unknown',
    })
  })
})

describe('prefixes that drifted', () => {
  const drift = { since: '2026-11-21T09:00:00Z', requests: 3, why: 'x', first_difference: { sent: 'secret' } }
  const item = (name: string) => ({ id: `pfx_0_${name}`, name, drift })

  it('are one line of names, without their text', () => {
    const line = money.drifted({ data: [item('a'), { id: 'pfx_0_b', name: 'b', drift: null }], next_cursor: null })
    expect(line).toBe('1 prefix drifted, real requests no longer begin with what is registered: a')
    const many = money.drifted({ data: ['a', 'b', 'c', 'd', '\u202Ee'].map(item), next_cursor: 'x' })
    expect(many).toMatch(/^At least 5 prefixes drifted, .*: a, b, c and 2 more$/)
  })

  it('are no line where there are none', () => {
    for (const nothing of [null, 5, {}, { data: [] }, { data: [{ id: 'x' }, 7] }])
      expect(money.drifted(nothing)).toBe('')
  })
})

describe('what other plans would have cost', () => {
  const KEEP = {
    until: null,
    idle_timeout: null,
    windows: [],
    budget_usd_per_day: 1,
    max_usd_per_call: null,
    latency_value_usd: 0,
    ttft_target_ms: null,
    ttft_share: null,
    holdout: 0.02,
  }
  const run = (probes: number, coldStarts: number, probesUsd: number | null, rewritesUsd: number | null) => ({
    probes,
    cold_starts: coldStarts,
    probes_usd: probesUsd,
    rewrites_usd: rewritesUsd,
    total_usd: probesUsd === null || rewritesUsd === null ? null : probesUsd + rewritesUsd,
  })
  const preview = (plan: 'auto' | 'always' | { probes: number }, asked: ReturnType<typeof run>) =>
    previewAnswer.parse({
      id: 'pfx_0_1',
      keep_warm: { plan, ...KEEP },
      gaps: 3,
      from: '2026-11-20T00:00:00Z',
      to: '2026-11-21T00:00:00Z',
      retentions: ['5m', '1h'].map((retention) => ({
        retention,
        registered: retention === '5m',
        plan: asked,
        nothing: run(0, 3, 0, 0.5),
        saved_usd: null,
      })),
      how: 'Replayed over 3 idle gaps.',
    })

  it('stands in one table, nothing first, with the plan that is in force marked', () => {
    const answers = [preview('auto', run(2, 1, 0.25, 0.25)), preview('always', run(9, 0, null, 0))]
    expect(money.whatIf(answers, 'auto')).toEqual([
      { inForce: false, cells: ['nothing at 5m', '0', '3', '$0', '$0.5000', '$0.5000'] },
      { inForce: true, cells: ['auto at 5m (its plan)', '2', '1', '$0.2500', '$0.2500', '$0.5000'] },
      { inForce: false, cells: ['always at 5m', '9', '0', 'unknown', '$0', 'unknown'] },
      { inForce: false, cells: ['nothing at 1h', '0', '3', '$0', '$0.5000', '$0.5000'] },
      { inForce: false, cells: ['auto at 1h', '2', '1', '$0.2500', '$0.2500', '$0.5000'] },
      { inForce: false, cells: ['always at 1h', '9', '0', 'unknown', '$0', 'unknown'] },
    ])
    for (const { cells } of money.whatIf(answers, 'auto')) expect(cells).toHaveLength(money.WHAT_IF.length)
    expect(money.whatIf(answers, 'off')[0]).toMatchObject({ inForce: true })
    expect(money.how(answers)).toBe('Replayed over 3 idle gaps.')
  })

  it('asks about a plan of its own too', () => {
    expect(money.alternatives('auto')).toEqual(['auto', 'always'])
    expect(money.alternatives({ probes: 2 })).toEqual(['auto', 'always', { probes: 2 }])
    const own = money.whatIf([preview({ probes: 2 }, run(2, 1, 0.25, 0.25))], { probes: 2 })
    expect(own[1]?.cells[0]).toBe('2 probes after each request at 5m (its plan)')
  })

  it('is empty where nothing can be replayed, and the API says why', () => {
    expect(money.whatIf([{ retentions: [], how: 'No price is known.' }], 'auto')).toEqual([])
    expect(money.how([{ retentions: [], how: 'No price is known.' }])).toBe('No price is known.')
    expect(money.whatIf([null, 5], 'auto')).toEqual([])
    expect(money.how([])).toBe('')
  })
})

describe('alarms', () => {
  const alarm = { kind: 'hit_rate_fell', from: 0.9, to: 0.48, ticket: 'Prompt cache of m (p): …' }
  const item = (name: string, alarms: unknown[] = [alarm]) => ({ id: `pfx_0_${name}`, name, alarms })

  it('are one line, with what to paste into tickets', () => {
    const one = money.alarms({ data: [item('a'), item('b', [])], next_cursor: null })
    expect(one).toEqual({ line: '1 alarm: a, hit rate fell from 0.9 to 0.48', tickets: alarm.ticket })
    const drifted = { kind: 'drifted', from: null, to: null, ticket: null }
    expect(money.alarms({ data: [item('a', [drifted])] })).toEqual({ line: '1 alarm: a, drifted', tickets: '' })
    const many = money.alarms({ data: ['a', 'b', 'c', 'd'].map((name) => item(name)), next_cursor: 'x' })
    expect(many.line).toMatch(/^At least 4 alarms: .*; and 1 more$/)
  })

  it('are no line where there are none', () => {
    for (const nothing of [null, 5, {}, { data: [] }, { data: [{ id: 'x' }, 7, item('a', [7])] }])
      expect(money.alarms(nothing)).toEqual({ line: '', tickets: '' })
  })
})
