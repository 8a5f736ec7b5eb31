import { expect, it } from 'vitest'
import type { HistoryRow } from '../../../src/core/prefix/history.ts'
import { rollUpRows } from '../../../src/core/prefix/history-roll-up.ts'
import { NOON, usage } from '../../support/sample.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const receipt = (at: number, kind: 'full' | 'written', costNanos: number | null): HistoryRow => ({
  at,
  type: 'receipt',
  kind,
  purpose: 'keep',
  primitive: 'zero_output',
  usage: usage(1, 0),
  costNanos,
  latencyMs: 1,
  model: null,
  why: '',
})
const rows: HistoryRow[] = [
  receipt(NOON, 'written', 100),
  receipt(NOON + 5 * MINUTE_MS, 'full', 10),
  receipt(NOON + 6 * MINUTE_MS, 'full', null),
  { at: NOON + 10 * MINUTE_MS, type: 'arrival', count: 3, hits: 2, misses: 1, cachedTokens: 500 },
  { at: NOON + HOUR_MS, type: 'decision', decision: 'lapse', why: '' },
]

it('old rows are summed by the hour without losing a count', () => {
  expect(rollUpRows(rows)).toEqual([
    {
      at: NOON,
      type: 'rollup',
      receipts: { written: 1, full: 2 },
      costNanos: 110,
      unpriced: 1,
      arrivals: 3,
      hits: 2,
      misses: 1,
      cachedTokens: 500,
      decisions: {},
    },
    {
      at: NOON + HOUR_MS,
      type: 'rollup',
      receipts: {},
      costNanos: 0,
      arrivals: 0,
      hits: 0,
      misses: 0,
      cachedTokens: 0,
      decisions: { lapse: 1 },
    },
  ])
})

it('a second roll-up changes nothing', () => {
  expect(rollUpRows(rollUpRows(rows))).toEqual(rollUpRows(rows))
})
