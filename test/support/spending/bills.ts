import { dayOf, HOUR_MS } from '../../../src/core/time/time.ts'
import { CACHE_TOKENS, STORAGE_NANOS_PER_MTOK_HOUR } from './prices.ts'

/** Amounts are rounded up for each day of each handle. */
export const ROUNDED_NANOS = 100

/** What the provider billed, and what the ledger must hold for it. */
export class Bills {
  readonly broken: string[] = []
  sent = 0
  /** Bills above the most that was expected. */
  beyond = 0
  /** What the ledger must hold for calls of prefixes and bots: bills of answers that count, and worst cases of the others. */
  ledgerNanos = 0
  readonly #transcript: { at: number; of: string; nanos: number }[] = []

  add(of: string, nanos: number, at: number): void {
    this.sent += 1
    this.#transcript.push({ at, of, nanos })
  }

  /** Storage of a handle, by UTC day. */
  addStorage(cache: string, fromAt: number, untilAt: number): void {
    for (let at = fromAt; at < untilAt;) {
      const endAt = Math.min(untilAt, (Math.floor(at / (24 * HOUR_MS)) + 1) * 24 * HOUR_MS)
      const tokenHours = CACHE_TOKENS * STORAGE_NANOS_PER_MTOK_HOUR * (endAt - at)
      this.add(cache, Math.floor(tokenHours / (1_000_000 * HOUR_MS)), at)
      at = endAt
    }
  }

  /** Compares the bills of each day with the budgets. Where a bill was beyond the bound, calls in flight may pass them. */
  compare(budgetOf: (of: string) => number | null, accountBudget: number | null): void {
    const sums = new Map<string, number>()
    for (const { at, of, nanos } of this.#transcript) {
      const day = dayOf(at)
      const limits: [string, number | null][] = [
        [`${of} on ${day}`, budgetOf(of)],
        [`the account on ${day}`, accountBudget],
      ]
      for (const [what, budget] of limits) {
        const billed = (sums.get(what) ?? 0) + nanos
        sums.set(what, billed)
        if (budget === null || billed <= budget + ROUNDED_NANOS || this.beyond > 0) continue
        this.broken.push(`${what}: billed ${billed} of ${budget}`)
      }
    }
  }
}
