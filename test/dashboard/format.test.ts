import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pilot } from './page-text.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

const NOW = Date.parse('2026-11-21T14:00:00Z')
const iso = (ms: number): string => new Date(ms).toISOString()

describe('lengths of time', () => {
  it.each([
    [0, '0:00'],
    [999, '0:00'],
    [7_000, '0:07'],
    [41 * MINUTE_MS + 7_000, '41:07'],
    [60 * MINUTE_MS, '1:00:00'],
    [101 * MINUTE_MS + 7_900, '1:41:07'],
    [25 * 60 * MINUTE_MS, '1 d 01:00'],
    [-5, '0:00'],
    [null, '–'],
    [Number.NaN, '–'],
    ['60', '–'],
  ])('shows %s ms as %s', (ms, text) => expect(pilot.clock(ms)).toBe(text))

  it.each([
    ['5m', 5 * MINUTE_MS],
    ['1h', 60 * MINUTE_MS],
    ['90s', 90_000],
    [90, 90_000],
    ['in_memory', null],
    ['0m', null],
    [null, null],
  ])('reads the retention %s', (name, ms) => expect(pilot.length(name)).toBe(ms))

  it('says how long ago something was', () => {
    expect(pilot.ago(NOW - 134_000, NOW)).toBe('2:14 ago')
    expect(pilot.ago(NOW, NOW)).toBe('just now')
    expect(pilot.ago(null, NOW)).toBe('–')
  })
})

describe('times to the first token', () => {
  it.each([
    [
      { warm: { median_ms: 190, count: 12, from: 'requests' }, cold: { median_ms: 2_760, count: 1, from: 'probes' } },
      'warm 190 ms (12 real requests), cold 2.8 s (1 own call)',
    ],
    [{ warm: null, cold: { median_ms: 900, count: 3, from: 'requests' } }, 'cold 900 ms (3 real requests)'],
    [{ warm: null, cold: null }, '–'],
    [undefined, '–'],
  ])('shows %j as %s', (ttft, text) => expect(pilot.firstToken(ttft)).toBe(text))
})

describe('money', () => {
  it.each([
    [0, '$0'],
    [1204.5, '$1,204.50'],
    [1, '$1.00'],
    [0.996, '$1.00'],
    [0.0312, '$0.0312'],
    [0.0085236, '$0.0085'],
    [0.000021, '$0.000021'],
    [0.000000014, '$0.000000014'],
    [1e-12, 'under $0.000000001'],
    [-0.5, '−$0.5000'],
    [null, '–'],
    [undefined, '–'],
    ['1', '–'],
    [Infinity, '–'],
  ])('shows %s as %s', (amount, text) => expect(pilot.usd(amount)).toBe(text))

  it('never shows an amount as nothing when it is something', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e6, noNaN: true }), (amount) => {
        expect(pilot.usd(amount)).toMatch(/[1-9]/)
      }),
    )
  })

  it('groups thousands', () => {
    expect(pilot.count(1234567)).toBe('1,234,567')
    expect(pilot.count(999)).toBe('999')
    expect(pilot.count(null)).toBe('–')
  })
})

describe('how sure', () => {
  it('says it in words, with its interval rounded outwards', () => {
    expect(pilot.sure({ p_warm: 0.9931, interval: [0.9712, 0.9991] })).toBe('99 % sure (97–100)')
    expect(pilot.sure({ p_warm: 0.5 })).toBe('50 % sure')
    expect(pilot.sure({ p_warm: null, interval: null })).toBe('–')
    expect(pilot.sure(undefined)).toBe('–')
  })

  it('claims certainty only where the figure is certain', () => {
    expect(pilot.percent(0.9999)).toBe(99)
    expect(pilot.percent(1)).toBe(100)
    expect(pilot.percent(0.0001)).toBe(1)
    expect(pilot.percent(0)).toBe(0)
    expect(pilot.percent(0.29)).toBe(29)
    expect(pilot.percent(7)).toBeNull()
  })

  it('takes a state that it does not know for unknown', () => {
    expect(pilot.state({ state: 'expiring' })).toBe('expiring')
    expect(pilot.state({ state: '<b>' })).toBe('unknown')
    expect(pilot.state(null)).toBe('unknown')
  })
})

describe('the countdown', () => {
  const item = {
    warmth: { state: 'warm', warm_until: iso(NOW + 15 * MINUTE_MS) },
    plan: { retention: '1h', next_probe_at: iso(NOW + 9 * MINUTE_MS) },
    last_receipt: { at: iso(NOW - 45 * MINUTE_MS), kind: 'full' },
  }

  it('counts to the lapse, with the share of the TTL that is left and the next probe', () => {
    expect(pilot.lapse(item, NOW)).toEqual({ text: '15:00', note: '', left: 0.25, probe: 0.1 })
    expect(pilot.next(item, NOW)).toBe('probe in 9:00')
  })

  it('says since when it lapsed', () => {
    const late = NOW + 18 * MINUTE_MS
    expect(pilot.lapse(item, late)).toMatchObject({ text: 'lapsed', note: '3:00 ago', left: 0 })
    expect(pilot.next(item, late)).toBe('probe due now')
  })

  it('derives the lapse of a cold entry from its last use, unless it was gone early', () => {
    const cold = { ...item, warmth: { state: 'cold', warm_until: null } }
    expect(pilot.lapse(cold, NOW + 16 * MINUTE_MS)).toMatchObject({ text: 'lapsed', note: '1:00 ago' })
    const evicted = { ...cold, last_receipt: { ...item.last_receipt, kind: 'cold' } }
    expect(pilot.lapse(evicted, NOW + 16 * MINUTE_MS)).toMatchObject({ text: '–', note: '' })
  })

  it('takes an assumed TTL from what the belief says, a stated one from its name', () => {
    const assumed = { ...item, warmth: { ...item.warmth, assumed: true, warm_until: iso(NOW + 5 * MINUTE_MS) } }
    expect(pilot.ttl(assumed)).toBe(50 * MINUTE_MS)
    expect(pilot.ttl(item)).toBe(60 * MINUTE_MS)
    expect(pilot.ttl({ plan: { retention: 'implicit' } })).toBeNull()
  })

  it('shows no countdown where there is nothing to lapse', () => {
    expect(pilot.lapse({ warmth: { state: 'uncacheable', warm_until: iso(NOW + 1) } }, NOW).text).toBe('–')
    expect(pilot.lapse({}, NOW).text).toBe('–')
    expect(pilot.lapse(item, null).text).toBe('–')
  })

  it('says that and why nothing is done', () => {
    const stopped = { ...item, plan: { stopped: 'budget_exhausted', why: '1.00 of 1.00 USD is spent' } }
    expect(pilot.next(stopped, NOW)).toBe('stopped')
    expect(pilot.because(stopped)).toEqual({ lead: 'Stopped, budget exhausted: ', text: '1.00 of 1.00 USD is spent' })
    expect(
      pilot.because({ plan: { stopped: { reason: 'lapsed', why: 'it ran out' } }, warmth: { why: 'cold' } }).text,
    ).toBe('it ran out · cold')
    expect(pilot.because({ plan: { stopped: true } }).text).toBe('no reason was given')
  })
})

describe("the server's clock", () => {
  it('runs at its own rate between two answers', () => {
    const anchor = pilot.anchor({ now: iso(NOW), clock_rate: 12 }, 1000, 0)
    expect(pilot.virtual(anchor, 1000)).toBe(NOW)
    expect(pilot.virtual(anchor, 6000)).toBe(NOW + MINUTE_MS)
  })

  it("is the browser's own where the server says nothing", () => {
    expect(pilot.virtual(pilot.anchor(null, 500, NOW), 1500)).toBe(NOW + 1000)
    expect(pilot.anchor({ now: 'soon', clock_rate: -3 }, 0, NOW)).toEqual({ at: NOW, counter: 0, rate: 1 })
    expect(pilot.virtual(null, 0)).toBeNull()
  })

  it.each([
    ['2026-11-21T14:00:00Z', NOW],
    [NOW, NOW],
    ['5', null],
    ['never', null],
    [1e99, null],
    [null, null],
    [{}, null],
  ])('reads the instant %s', (x, at) => expect(pilot.instant(x)).toBe(at))
})

describe('names of strangers', () => {
  it('keeps what could reorder, hide or break a line visible', () => {
    expect(pilot.plain('a\u202Egnp.exe')).toBe('a\ufffdgnp.exe')
    expect(pilot.plain('line\nbreak\u0000')).toBe('line\ufffdbreak\ufffd')
    expect(pilot.plain('zero\u200bwidth')).toBe('zero\ufffdwidth')
    expect(pilot.plain('<b>&amp;</b>')).toBe('<b>&amp;</b>')
    expect(pilot.plain('👩‍👧 مرحبا')).toBe('👩‍👧 مرحبا')
  })

  it('falls back to the id', () => {
    expect(pilot.title({ id: 'pfx_0_a', name: '  ' })).toBe('pfx_0_a')
    expect(pilot.title({ id: 'pfx_0_a', name: 5 })).toBe('pfx_0_a')
    expect(pilot.title({})).toBe('without a name')
  })
})

describe('usage and history in words', () => {
  it('says which counts the provider left out', () => {
    const rows = new Map(
      pilot.usage({
        input_tokens: 28_420,
        cached_input_tokens: 0,
        cache_write_by_retention: { '1h': 12 },
        output_tokens: null,
      }),
    )
    expect(rows.get('input')).toBe('28,420')
    expect(rows.get('read from cache')).toBe('0')
    expect(rows.get('of it for 1h')).toBe('12')
    expect(rows.get('output')).toBe('not reported')
  })

  it.each([
    [
      {
        at: NOW,
        type: 'receipt',
        kind: 'full',
        purpose: 'keep',
        primitive: 'zero_output',
        usage: { cached_input_tokens: 9, cache_write_input_tokens: 0, input_tokens: 10 },
        cost_usd: 0.5,
        latency_ms: 812,
      },
      'read in full · keep-alive · read 9, wrote 0 of 10 tokens · zero output · $0.5000 · 812 ms',
    ],
    [{ type: 'receipt', kind: 'unknown', usage: null, why: 'outcome unknown' }, 'unknown · outcome unknown'],
    [
      { type: 'arrival', count: 3, hits: 2, misses: 1, cached_tokens: 18 },
      '3 requests · 2 hits, 1 miss · read 18 tokens',
    ],
    [{ type: 'arrival', count: 1, hits: 0, misses: 0 }, '1 request · usage not reported'],
    [{ type: 'decision', decision: 'stop:budget_exhausted', why: 'spent' }, 'stop: budget exhausted · spent'],
    [
      { type: 'saving', kind: 'credited', saved_usd: 0.0207, why: 'a real hit after 9 min' },
      'credited · $0.0207 · a real hit after 9 min',
    ],
    [{ type: 'saving', kind: 'revoked', saved_usd: null }, 'taken back · –'],
    [{}, '–'],
    [null, '–'],
  ])('tells a row (%#)', (row, text) => expect(pilot.story(row).text).toBe(text))

  it('takes nothing for a word of its own that an object merely inherits', () => {
    expect(pilot.kind('constructor')).toBe('constructor')
    expect(
      pilot.story({ type: 'receipt', kind: 'toString', purpose: 'valueOf', primitive: '__proto__' }).text,
    ).not.toContain('[')
  })
})

describe('totals and news', () => {
  const warm = {
    id: 'a',
    name: 'support',
    warmth: { state: 'warm' },
    probes: 3,
    cost_usd: 0.5,
    saved_usd: 0.7,
    hits: 1,
  }
  const cold = { id: 'b', warmth: { state: 'cold' }, probes: 4, cost_usd: null }

  it('adds up what is known, and leaves unknown what nobody reports', () => {
    expect(pilot.totals([warm, cold, { warmth: { state: 'expiring' } }])).toMatchObject({
      count: 3,
      warm: 2,
      probes: 7,
      cost_usd: 0.5,
      hits: 1,
      misses: null,
      cost_today_usd: null,
      saved_usd: 0.7,
      states: { warm: 1, expiring: 1, cold: 1, uncacheable: 0, unknown: 0 },
    })
  })

  it('tells a change of state once, and many at once in one sentence', () => {
    const before = new Map([['a', warm]])
    expect(pilot.changes(before, before)).toBe('')
    expect(pilot.changes(before, new Map([['a', { ...warm, warmth: { state: 'cold' } }]]))).toBe('support is now cold')
    const many = Array.from({ length: 5 }, (_, i) => String(i))
    const all = (state: string): Map<string, unknown> => new Map(many.map((id) => [id, { id, warmth: { state } }]))
    expect(pilot.changes(all('warm'), all('cold'))).toBe('5 prefixes changed state')
  })
})

describe('the key and the next try', () => {
  it('comes from the fragment', () => {
    expect(pilot.keyIn('#key=pilotlight-dev')).toBe('pilotlight-dev')
    expect(pilot.keyIn('#key=a%2Bb')).toBe('a+b')
    expect(pilot.keyIn('#key=a+b')).toBe('a+b')
    expect(pilot.keyIn('#x=1&key=50%&y=2')).toBe('50%')
    expect(pilot.keyIn('#monkey=a')).toBeNull()
    expect(pilot.keyIn('#key=')).toBeNull()
    expect(pilot.keyIn('#main')).toBeNull()
    expect(pilot.keyIn('')).toBeNull()
  })

  it('must fit in a header', () => {
    expect(pilot.carriable('pilotlight-dev')).toBe(true)
    for (const bad of ['', 'a b', 'schlüssel', 'a\nb']) expect(pilot.carriable(bad)).toBe(false)
  })

  it('waits longer after each failure, up to 30 s, or as the server asks, up to 60 s', () => {
    expect([1, 2, 3, 4, 5, 50].map((n) => pilot.backoff(n))).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000])
    expect(pilot.backoff(1, 45_000)).toBe(45_000)
    expect(pilot.backoff(1, HOUR_MS)).toBe(60_000)
    expect(pilot.backoff(1, Number.NaN)).toBe(2000)
  })

  it('shows an example that is valid JSON for this very server', () => {
    const text = pilot.example('https://pilot.example')
    expect(text).toContain('curl https://pilot.example/warm')
    const body = JSON.parse(/-d '([^']*)'/.exec(text)?.[1] ?? '') as { provider: string }
    expect(body.provider).toBe('anthropic')
  })
})

describe('whatever the API sends', () => {
  it('never shows NaN, undefined, null or an object', () => {
    const leaf = fc.oneof(fc.anything(), fc.constantFrom(null, undefined, Number.NaN, '', 'warm', NOW, iso(NOW)))
    const loose = (keys: string[]) =>
      fc.record(Object.fromEntries(keys.map((key) => [key, leaf])), { requiredKeys: [] })
    const item = fc.record({
      name: fc.constant(null),
      id: fc.constant('pfx'),
      warmth: fc.oneof(leaf, loose(['state', 'p_warm', 'interval', 'warm_until', 'assumed'])),
      plan: fc.oneof(leaf, loose(['retention', 'next_probe_at'])),
      last_receipt: fc.oneof(leaf, loose(['at', 'usage'])),
      last_hit: leaf,
      probes: leaf,
      cost_usd: leaf,
    })
    fc.assert(
      fc.property(item, (shown) => {
        const lapse = pilot.lapse(shown, NOW)
        const said = [
          lapse.text,
          lapse.note,
          pilot.next(shown, NOW),
          pilot.sure(shown.warmth),
          pilot.usd(shown.cost_usd),
          pilot.count(shown.probes),
          pilot.ago(pilot.instant(shown.last_hit), NOW),
        ]
        for (const text of said) expect(text).not.toMatch(/NaN|undefined|null|\[object|Infinity/)
        expect(lapse.left).toBeGreaterThanOrEqual(0)
        expect(lapse.left).toBeLessThanOrEqual(1)
        pilot.totals([shown])
      }),
    )
  })
})
