import type { HistoryRow, RollUpRow } from './history.ts'

const HOUR_MS = 3_600_000

/**
 * Old rows, told by the hour: how many receipts of each kind and what they cost, how many real requests and how they
 * fared, which decisions were taken. Rows that are roll-ups already are merged. In the order of their hours.
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
      case 'rollup':
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

function add(counts: Record<string, number>, key: string, count: number): void {
  counts[key] = (counts[key] ?? 0) + count
}
