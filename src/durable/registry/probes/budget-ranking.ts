import type { PlanContext } from '../../../core/planning/plan.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { mostNanosToday, shareBudget, budgetRankOf } from '../../../core/planning/budget-ranking.ts'
import type { Bid, BudgetShare } from '../../../core/planning/budget-ranking.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { dayOf, MINUTE_MS } from '../../../core/time/time.ts'

/** How often what is left of the budget is held against what the plans would spend of it. */
const EVERY_MS = 5 * MINUTE_MS
/** Prefixes that are looked at; where more are scheduled, they stand for all. */
const SAMPLE = 2_000
const ENOUGH: BudgetShare = { outbid: new Set(), bar: null }

type ContextOf = (k: number, state: PrefixState) => PlanContext | null

/**
 * Where the account's budget goes when it does not reach all that is scheduled for the day: to the plans of the highest expected net per
 * dollar. What is remembered here comes from the tables, and is computed anew after an eviction; the budget itself is held elsewhere.
 */
export class BudgetRanking {
  readonly #store: RegistryStore
  #ration = ENOUGH
  #looked: ReadonlySet<number> = new Set()
  #day = ''
  #againAt = 0

  constructor(store: RegistryStore) {
    this.#store = store
  }

  /** Whether the account's budget of today goes to others than this prefix. */
  isOutbid(k: number, state: PrefixState, context: PlanContext, now: number): boolean {
    const { outbid, bar } = this.#ration
    if (bar === null || this.#day !== dayOf(now)) return false
    if (this.#looked.has(k)) return outbid.has(k)
    const worth = budgetRankOf(state, context, now)
    return worth !== null && worth.netPerDollar <= bar
  }

  /** Holds what is left of the budget against what is scheduled, every few minutes. `leftNanos` null: there is no budget. */
  reckon(now: number, leftNanos: number | null, contextOf: ContextOf): void {
    if (leftNanos === null) this.#ration = ENOUGH
    else if (this.#day !== dayOf(now) || now >= this.#againAt) {
      this.#day = dayOf(now)
      this.#againAt = now + EVERY_MS
      this.#ration = this.#give(now, leftNanos, contextOf)
    }
  }

  #give(now: number, leftNanos: number, contextOf: ContextOf): BudgetShare {
    const { ks, total } = this.#store.states.scheduled(SAMPLE)
    const share = leftNanos * (ks.length / Math.max(1, total))
    this.#looked = new Set(ks)
    const known = this.#store.states.loadAll(ks).flatMap(({ k, state }) => {
      try {
        const context = contextOf(k, state)
        return context === null ? [] : [{ k, state, context, most: mostNanosToday(state, context, now) ?? 0 }]
      } catch {
        return [] // one that cannot be decided about is set aside when it is due
      }
    })
    // Most accounts have enough for the worst that can come, which is quickly known.
    if (known.reduce((sum, { most }) => sum + most, 0) <= share) return ENOUGH
    const bids = known.flatMap<Bid>(({ k, state, context }) => {
      const worth = budgetRankOf(state, context, now)
      return worth === null ? [] : [{ k, ...worth }]
    })
    return shareBudget(bids, share)
  }
}
