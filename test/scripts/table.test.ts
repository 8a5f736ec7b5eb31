import { describe, expect, it } from 'vitest'
import type { Prefix } from '../../scripts/start/api.ts'
import { countdown, fit, minutes, rowsOf, tableLines } from '../../scripts/start/table.ts'
import { paintFor, plain } from '../../scripts/terminal.ts'

const now = Date.parse('2026-11-21T13:00:00Z')
const prefix: Prefix = {
  id: 'pfx_0_1',
  name: 'sample-anthropic',
  provider: 'anthropic',
  model: 'claude-sonnet-4-5',
  warmth: { state: 'warm', warm_until: '2026-11-21T13:04:12.400Z' },
  last_receipt: { kind: 'full', at: '2026-11-21T12:59:30Z' },
  probes: 7,
  hits: 2,
  misses: 1,
  last_hit: { cached_tokens: 6_010 },
  plan: { stopped: null },
  cost_usd: 0.031,
  saved_usd: 0.0207,
}

describe('the live table', () => {
  it('shows state, countdown, receipt, probes, hits with cached tokens, cost and savings', () => {
    const [, line] = tableLines(rowsOf([prefix], now), plain, 200)
    expect(line?.split(/ {2,}/)).toEqual([
      'sample-anthropic',
      'warm',
      '13:04:12 (in 4:12)',
      'full, 0:30 ago',
      '7',
      '2 (1 missed), last read 6,010 tok',
      '$0.0310',
      '$0.0207',
    ])
  })

  it('calls an unknown cost unknown, never zero, and names a prefix without a name by its id', () => {
    const [row] = rowsOf([{ id: 'pfx_0_2', name: null, provider: 'gemini', model: 'm', cost_usd: null }], now)
    expect(row).toMatchObject({
      name: 'pfx_0_2',
      cost: 'unknown',
      saved: 'unknown',
      state: 'unknown',
      receipt: 'none yet',
      warmUntil: '–',
    })
  })

  it('says that a prefix has been cold for a while', () => {
    expect(countdown('2026-11-21T12:58:30Z', now)).toBe('12:58:30 (1:30 ago)')
  })

  it('says so when there is nothing to show', () => {
    expect(tableLines([], plain, 80)).toEqual(['(no prefix is registered yet)'])
  })

  it('keeps every column on 80 characters, with fewer words and the end of a long id', () => {
    const unnamed = { ...prefix, id: 'pfx_0_0b630d0725990f1344bc789c', name: null }
    const [, first, second] = tableLines(rowsOf([prefix, unnamed], now), plain, 80)
    expect(first?.split(/ {2,}/)).toEqual([
      'sample-anthropic',
      'warm',
      'in 4:12',
      'full 0:30',
      '7',
      '2 (1)',
      '$0.0310',
      '$0.0207',
    ])
    expect(second).toMatch(/^…5990f1344bc789c/)
    expect(second?.length).toBeLessThanOrEqual(80)
    const longAgo = { ...prefix, last_receipt: { kind: 'written', at: '2026-11-21T12:29:30Z' } }
    expect(tableLines(rowsOf([longAgo, unnamed], now), plain, 80)[1]).toMatch(/ \$0\.0310 +\$0\.0207$/)
  })

  it('says why a plan rests', () => {
    const resting = { ...prefix, plan: { stopped: { reason: 'break_even' } } }
    expect(rowsOf([resting], now)[0]?.state).toBe('warm (break_even)')
  })

  it('fits narrow terminals, since a line that wraps could not be redrawn in place', () => {
    const painted = paintFor({ isTTY: true }, {})
    const lines = tableLines(rowsOf([prefix], now), painted, 40)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40)
    expect(fit('abcdef', 4)).toBe('abc…')
  })

  it.each([
    [0, '0:00'],
    [59_999, '0:59'],
    [252_000, '4:12'],
    [3_852_000, '1:04:12'],
  ])('spells %d ms as %s', (ms, text) => {
    expect(minutes(ms)).toBe(text)
  })
})

describe('colours', () => {
  it('appear on a terminal only, and not where NO_COLOR is set', () => {
    expect(paintFor({ isTTY: true }, {})('green', 'warm')).toContain('\u001b[')
    expect(paintFor({ isTTY: true }, { NO_COLOR: '1' })('green', 'warm')).toBe('warm')
    expect(paintFor({ isTTY: true }, { TERM: 'dumb' })('green', 'warm')).toBe('warm')
    expect(paintFor({}, {})('green', 'warm')).toBe('warm')
  })
})
