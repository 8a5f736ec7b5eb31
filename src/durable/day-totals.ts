import { dayOf } from '../core/schedule.ts'
import type { DayTotals } from './records.ts'
import type { RegistryStore } from './registry-store.ts'

/** The day's totals, read once and written once in a transaction, and only if something was counted. */
export class Totals {
  readonly #store: RegistryStore
  readonly #day: string
  #totals: DayTotals | null = null

  constructor(store: RegistryStore, now: number) {
    this.#store = store
    this.#day = dayOf(now)
  }

  #get(): DayTotals {
    this.#totals ??= this.#store.dayTotals(this.#day) ?? {
      calls: 0,
      costNanos: 0,
      unknownOutcomes: 0,
      receipts: {},
      failures: {},
      hits: 0,
      misses: 0,
      cachedTokens: 0,
    }
    return this.#totals
  }

  answered(kind: string, costNanos: number): void {
    const totals = this.#get()
    totals.calls += 1
    totals.costNanos += costNanos
    totals.receipts[kind] = (totals.receipts[kind] ?? 0) + 1
  }

  failed(kind: string, unknown: boolean, costNanos: number): void {
    const totals = this.#get()
    totals.calls += 1
    totals.costNanos += costNanos
    if (unknown) totals.unknownOutcomes += 1
    totals.failures[kind] = (totals.failures[kind] ?? 0) + 1
  }

  arrived(hits: number, misses: number, cachedTokens: number): void {
    if (hits === 0 && misses === 0) return
    const totals = this.#get()
    totals.hits += hits
    totals.misses += misses
    totals.cachedTokens += Math.max(0, cachedTokens)
  }

  save(): void {
    if (this.#totals !== null) this.#store.saveDayTotals(this.#day, this.#totals)
  }
}
