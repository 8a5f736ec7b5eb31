import type { HistoryRow, RollUpRow } from './history.ts'
import { HOUR_MS } from '../time/time.ts'

/**
 * Sums rows by the hour: receipts of each kind and their cost, real requests with their hits and misses, decisions and
 * savings. Rows that are roll-ups already are merged. The result is in the order of the hours.
 */
export function rollUpRows(rows: readonly HistoryRow[]): RollUpRow[] {
  const hours = new Map<number, RollUpRow>()
  for (const row of rows) {
    const at = Math.floor(row.at / HOUR_MS) * HOUR_MS
    const hour = hours.get(at) ?? {
      at,
      type: 'rollup',
      receipts: {},
      costNanos: 0,
      arrivals: 0,
      hits: 0,
      misses: 0,
      cachedTokens: 0,
      decisions: {},
    }
    hours.set(at, hour)
    switch (row.type) {
      case 'receipt':
        add(hour.receipts, row.kind, 1)
        hour.costNanos += row.costNanos ?? 0
        if (row.costNanos === null) hour.unpriced = (hour.unpriced ?? 0) + 1
        break
      case 'arrival':
        hour.arrivals += row.count
        hour.hits += row.hits
        hour.misses += row.misses
        hour.cachedTokens += row.cachedTokens
        break
      case 'decision':
        add(hour.decisions, row.decision, 1)
        break
      case 'saving': {
        const sign = row.kind === 'credited' ? 1 : -1
        save(hour, { count: sign, nanos: sign * (row.nanos ?? 0), unpriced: row.nanos === null ? sign : 0 })
        break
      }
      case 'trial':
        // Its figures are in the account's sums; receipts and decisions of the gap are counted above.
        break
      case 'rollup':
        if (row.unpriced !== undefined) hour.unpriced = (hour.unpriced ?? 0) + row.unpriced
        if (row.savings !== undefined) save(hour, row.savings)
        for (const [kind, count] of Object.entries(row.receipts)) add(hour.receipts, kind, count)
        for (const [decision, count] of Object.entries(row.decisions)) add(hour.decisions, decision, count)
        hour.costNanos += row.costNanos
        hour.arrivals += row.arrivals
        hour.hits += row.hits
        hour.misses += row.misses
        hour.cachedTokens += row.cachedTokens
        break
    }
  }
  return [...hours.values()].toSorted((a, b) => a.at - b.at)
}

function save(hour: RollUpRow, { count, nanos, unpriced }: NonNullable<RollUpRow['savings']>): void {
  const before = hour.savings ?? { count: 0, nanos: 0, unpriced: 0 }
  hour.savings = {
    count: before.count + count,
    nanos: before.nanos + nanos,
    unpriced: before.unpriced + unpriced,
  }
}

function add(counts: Record<string, number>, key: string, count: number): void {
  counts[key] = (counts[key] ?? 0) + count
}
