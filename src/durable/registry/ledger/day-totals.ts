import type { SavingRow } from '../../../core/prefix/history.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { dayOf } from '../../../core/time/time.ts'
import { EMPTY_DAY } from '../records/day.ts'
import type { DayTotals } from '../records/day.ts'

/**
 * Totals of UTC days. A call belongs to the day on which it was sent, all else to that of `now`. Reads and writes a row at most once in a
 * transaction, and only if something was counted.
 */
export class Totals {
  readonly #store: RegistryStore
  readonly #now: number
  readonly #days = new Map<string, DayTotals>()

  constructor(store: RegistryStore, now: number) {
    this.#store = store
    this.#now = now
  }

  #get(at = this.#now): DayTotals {
    const day = dayOf(at)
    const totals = this.#days.get(day) ?? this.#store.days.load(day) ?? { ...EMPTY_DAY, receipts: {}, failures: {} }
    this.#days.set(day, totals)
    return totals
  }

  /** Counts an answered call that was sent at `at`. A `costNanos` of null is unknown: it is in no sum, and counts as unpriced. */
  answered(kind: string, costNanos: number | null, at: number): void {
    const totals = this.#cost(costNanos, at)
    totals.receipts[kind] = (totals.receipts[kind] ?? 0) + 1
  }

  failed(kind: string, unknown: boolean, costNanos: number | null, at: number): void {
    const totals = this.#cost(costNanos, at)
    if (unknown) totals.unknownOutcomes += 1
    totals.failures[kind] = (totals.failures[kind] ?? 0) + 1
  }

  #cost(costNanos: number | null, at: number): DayTotals {
    const totals = this.#get(at)
    totals.calls += 1
    if (costNanos === null) totals.unpricedCalls += 1
    else totals.costNanos += costNanos
    return totals
  }

  saved({ kind, nanos }: SavingRow): void {
    const totals = this.#get()
    if (kind === 'credited') totals.credits += 1
    else totals.revocations += 1
    if (nanos === null) totals.unpricedSavings += kind === 'credited' ? 1 : -1
    else if (kind === 'credited') totals.creditedNanos += nanos
    else totals.revokedNanos += nanos
  }

  arrived(hits: number, misses: number, cachedTokens: number): void {
    if (hits === 0 && misses === 0) return
    const totals = this.#get()
    totals.hits += hits
    totals.misses += misses
    totals.cachedTokens += Math.max(0, cachedTokens)
  }

  /** Counts observations that belong to no prefix. */
  unmatched(reasons: Readonly<Record<string, number>>): void {
    const totals = this.#get()
    const counted = { ...totals.unmatched }
    for (const [reason, count] of Object.entries(reasons)) counted[reason] = (counted[reason] ?? 0) + count
    totals.unmatched = counted
  }

  save(): void {
    for (const [day, totals] of this.#days) this.#store.days.save(day, totals)
  }
}
