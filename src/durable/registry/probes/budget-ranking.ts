import type { PlanContext } from '../../../core/planning/plan.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { mostNanosToday, shareBudget, budgetRankOf } from '../../../core/planning/budget-ranking.ts'
import type { Bid, BudgetShare } from '../../../core/planning/budget-ranking.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { dayOf, MINUTE_MS } from '../../../core/time/time.ts'

/** Interval between two rankings. */
const EVERY_MS = 5 * MINUTE_MS
/** Most prefixes in one ranking; where more are scheduled, this sample stands for all. */
const SAMPLE = 2_000
const ENOUGH: BudgetShare = { outbid: new Set(), bar: null }

type ContextOf = (k: number, state: PrefixState) => PlanContext | null

/**
 * Gives a budget that does not suffice for the day's schedule to the plans with the highest expected net saving per dollar. The
 * ranking lives in memory and is computed again after an eviction; `accountLeft` enforces the budget itself.
 */
export class BudgetRanking {
  readonly #store: RegistryStore
  #share = ENOUGH
  #rankedKs: ReadonlySet<number> = new Set()
  #day = ''
  #nextRankingAt = 0

  constructor(store: RegistryStore) {
    this.#store = store
  }

  /** True where today's budget of the account goes to other prefixes than `k`. */
  isOutbid(k: number, state: PrefixState, context: PlanContext, now: number): boolean {
    const { outbid, bar } = this.#share
    if (bar === null || this.#day !== dayOf(now)) return false
    if (this.#rankedKs.has(k)) return outbid.has(k)
    const rank = budgetRankOf(state, context, now)
    return rank !== null && rank.netPerDollar <= bar
  }

  /** Ranks the scheduled prefixes again, every few minutes. `leftNanos`: rest of the budget; null: there is none. */
  rankBudget(now: number, leftNanos: number | null, contextOf: ContextOf): void {
    if (leftNanos === null) this.#share = ENOUGH
    else if (this.#day !== dayOf(now) || now >= this.#nextRankingAt) {
      this.#day = dayOf(now)
      this.#nextRankingAt = now + EVERY_MS
      this.#share = this.#shareOut(now, leftNanos, contextOf)
    }
  }

  #shareOut(now: number, leftNanos: number, contextOf: ContextOf): BudgetShare {
    const { ks, total } = this.#store.states.scheduled(SAMPLE)
    const share = leftNanos * (ks.length / Math.max(1, total))
    this.#rankedKs = new Set(ks)
    const known = this.#store.states.loadAll(ks).flatMap(({ k, state }) => {
      try {
        const context = contextOf(k, state)
        return context === null ? [] : [{ k, state, context, most: mostNanosToday(state, context, now) ?? 0 }]
      } catch {
        return [] // `Leases` stops it when it is due
      }
    })
    // Fast path: the budget suffices for the worst case, as in most accounts.
    if (known.reduce((sum, { most }) => sum + most, 0) <= share) return ENOUGH
    const bids = known.flatMap<Bid>(({ k, state, context }) => {
      const rank = budgetRankOf(state, context, now)
      return rank === null ? [] : [{ k, ...rank }]
    })
    return shareBudget(bids, share)
  }
}
