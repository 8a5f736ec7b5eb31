import type { HistoryRow, RollUpRow } from '../../../core/prefix/history.ts'
import type { LedgerEntry, LedgerPlace, PrefixSum, Span } from '../records/ledger.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Most prefixes read for one page. A page may therefore be short and still have a cursor. */
const PREFIXES_AT_ONCE = 200
const CACHE_ROWS_AT_ONCE = 500

/** Sums by prefix, newest prefix first. */
export function prefixSums(
  store: RegistryStore,
  span: Span,
  before: number | null,
  limit: number,
): { sums: PrefixSum[]; cursor: number | null } {
  const ks = store.prefixes.keysBefore(before ?? Number.MAX_SAFE_INTEGER, Math.min(limit, PREFIXES_AT_ONCE))
  const sums = ks.flatMap((k) => {
    const record = store.prefixes.record(k)
    return record === null
      ? []
      : [{ id: record.id, name: record.name, ...sumOf(store.history.since(k, span.fromAt), span) }]
  })
  const last = ks.at(-1)
  return { sums, cursor: last === undefined || store.prefixes.keysBefore(last, 1).length === 0 ? null : last }
}

function sumOf(rows: readonly HistoryRow[], span: Span): Omit<PrefixSum, 'id' | 'name'> {
  const sum = { calls: 0, costNanos: 0, unpricedCalls: 0, savedNanos: 0, savings: 0, unpricedSavings: 0 }
  for (const row of rows) {
    if (row.at < span.fromAt || row.at >= span.untilAt) continue
    if (row.type === 'receipt') {
      sum.calls += 1
      sum.costNanos += row.costNanos ?? 0
      sum.unpricedCalls += row.costNanos === null ? 1 : 0
    } else if (row.type === 'saving') {
      const sign = row.kind === 'credited' ? 1 : -1
      sum.savings += sign
      sum.savedNanos += sign * (row.nanos ?? 0)
      sum.unpricedSavings += row.nanos === null ? sign : 0
    } else if (row.type === 'rollup') addHour(sum, row)
  }
  return sum
}

function addHour(sum: Omit<PrefixSum, 'id' | 'name'>, { receipts, costNanos, unpriced, savings }: RollUpRow): void {
  for (const count of Object.values(receipts)) sum.calls += count
  sum.costNanos += costNanos
  sum.unpricedCalls += unpriced ?? 0
  sum.savedNanos += savings?.nanos ?? 0
  sum.savings += savings?.count ?? 0
  sum.unpricedSavings += savings?.unpriced ?? 0
}

/**
 * Entries in the order of the ledger: prefixes, newest first, each in order of time; then managed caches and bots, newest row first.
 */
export function ledgerEntries(
  store: RegistryStore,
  managedCaches: ManagedCacheStore,
  span: Span,
  place: LedgerPlace | null,
  limit: number,
): { entries: LedgerEntry[]; next: LedgerPlace | null } {
  const entries: LedgerEntry[] = []
  if (place === null || place.in === 'prefixes') {
    const next = ofPrefixes(store, span, place, limit, entries)
    if (next !== null) return { entries, next }
  }
  if (place?.in !== 'bots') {
    const next = ofCaches(
      managedCaches,
      span,
      place?.in === 'caches' ? place.seq : Number.MAX_SAFE_INTEGER,
      limit,
      entries,
    )
    if (next !== null) return { entries, next }
  }
  const next = ofBots(store, span, place?.in === 'bots' ? place.seq : Number.MAX_SAFE_INTEGER, limit, entries)
  return { entries, next }
}

function ofPrefixes(
  store: RegistryStore,
  span: Span,
  place: Extract<LedgerPlace, { in: 'prefixes' }> | null,
  limit: number,
  entries: LedgerEntry[],
): LedgerPlace | null {
  const ks = store.prefixes.keysBefore(place === null ? Number.MAX_SAFE_INTEGER : place.k + 1, PREFIXES_AT_ONCE)
  for (const k of ks) {
    const prefix = store.prefixes.record(k)?.id
    if (prefix === undefined) continue
    const rows = store.history.since(k, span.fromAt).filter((row) => isEntry(row) && row.at >= span.fromAt)
    const wanted = rows.filter(({ at }) => at < span.untilAt).toSorted((a, b) => a.at - b.at)
    const start = place?.k === k ? startAfter(wanted, place) : 0
    for (const [index, row] of wanted.entries()) {
      if (index < start) continue
      if (entries.length === limit) {
        const last = wanted[index - 1]
        if (index === start || last === undefined)
          return place?.k === k ? place : { in: 'prefixes', k, at: span.fromAt, shown: 0 }
        return { in: 'prefixes', k, at: last.at, shown: index - wanted.findIndex(({ at }) => at === last.at) }
      }
      if (row.type === 'receipt') entries.push({ prefix, row })
      else if (row.type === 'saving') entries.push({ prefix, row })
    }
  }
  const last = ks.at(-1)
  if (ks.length < PREFIXES_AT_ONCE || last === undefined) return null
  return { in: 'prefixes', k: last - 1, at: span.fromAt, shown: 0 }
}

function isEntry(row: HistoryRow): boolean {
  return row.type === 'receipt' || row.type === 'saving'
}

function startAfter(rows: readonly HistoryRow[], place: { at: number; shown: number }): number {
  const first = rows.findIndex(({ at }) => at >= place.at)
  if (first < 0) return rows.length
  let index = first
  while (index < first + place.shown && rows[index]?.at === place.at) index++
  return index
}

function ofCaches(
  managedCaches: ManagedCacheStore,
  span: Span,
  beforeSeq: number,
  limit: number,
  entries: LedgerEntry[],
): LedgerPlace | null {
  let before = beforeSeq
  for (;;) {
    const rows = managedCaches.rowsBefore(before, CACHE_ROWS_AT_ONCE)
    for (const { seq, id, row } of rows) {
      if (row.at < span.fromAt) return null
      if (row.at < span.untilAt) {
        if (entries.length === limit) return { in: 'caches', seq: before }
        entries.push({ cache: id, row })
      }
      before = seq
    }
    if (rows.length < CACHE_ROWS_AT_ONCE) return null
  }
}

function ofBots(
  { botCalls }: RegistryStore,
  span: Span,
  beforeSeq: number,
  limit: number,
  entries: LedgerEntry[],
): LedgerPlace | null {
  let before = beforeSeq
  for (;;) {
    const rows = botCalls.rowsBefore(before, CACHE_ROWS_AT_ONCE)
    for (const { seq, row } of rows) {
      if (row.at >= span.fromAt && row.at < span.untilAt) {
        if (entries.length === limit) return { in: 'bots', seq: before }
        entries.push({ bot: row })
      }
      before = seq
    }
    if (rows.length < CACHE_ROWS_AT_ONCE) return null
  }
}
