import type { SavingRow } from '../../../core/prefix/history.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { dayOf } from '../../../core/time/time.ts'
import { EMPTY_DAY } from '../records/day.ts'
import type { DayTotals } from '../records/day.ts'

/** Totals of one UTC day. Reads and writes the row at most once in a transaction, and only if something was counted. */
export class Totals {
  readonly #store: RegistryStore
  readonly #day: string
  #totals: DayTotals | null = null

  constructor(store: RegistryStore, now: number) {
    this.#store = store
    this.#day = dayOf(now)
  }

  #get(): DayTotals {
    this.#totals ??= this.#store.days.load(this.#day) ?? { ...EMPTY_DAY, receipts: {}, failures: {} }
    return this.#totals
  }

  /** Counts an answered call. A `costNanos` of null is unknown: it is in no sum, and counts as unpriced. */
  answered(kind: string, costNanos: number | null): void {
    const totals = this.#cost(costNanos)
    totals.receipts[kind] = (totals.receipts[kind] ?? 0) + 1
  }

  failed(kind: string, unknown: boolean, costNanos: number | null): void {
    const totals = this.#cost(costNanos)
    if (unknown) totals.unknownOutcomes += 1
    totals.failures[kind] = (totals.failures[kind] ?? 0) + 1
  }

  #cost(costNanos: number | null): DayTotals {
    const totals = this.#get()
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
    if (this.#totals !== null) this.#store.days.save(this.#day, this.#totals)
  }
}
