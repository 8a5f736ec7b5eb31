import type { HoldBack } from '../../../core/planning/rate-limit.ts'
import type { PlanContext } from '../../../core/planning/plan.ts'
import type { PlanningContext } from './context.ts'
import { guardKey } from './provider-guards.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

type Place = Pick<PrefixRecord, 'provider' | 'credential' | 'region'>

/** Calls that may still begin under scarce rate limits, counted here because the next limit headers arrive only with the answers. */
export class RemainingRequests {
  readonly #planning: PlanningContext
  readonly #now: number
  /** Calls left, by provider, region and credential; null: the limit is not scarce. */
  readonly #left = new Map<string, number | null>()

  constructor(planning: PlanningContext, now: number) {
    this.#planning = planning
    this.#now = now
  }

  isScarce(place: Place): boolean {
    return this.#of(place) !== null
  }

  take(place: Place): void {
    const left = this.#of(place)
    if (left !== null) this.#left.set(guardKey(place), left - 1)
  }

  /** Context of a decision, with a strict hold where no call is left. */
  within(place: Place, context: PlanContext): PlanContext {
    const left = this.#of(place)
    const { holdBack } = context
    if (left === null || left > 0 || holdBack === undefined || holdBack.code !== 'limit' || holdBack.strict)
      return context
    const why =
      "the provider's limit leaves few requests until its reset, and other prefixes are expected to save more per dollar"
    const strict: HoldBack = { ...holdBack, strict: true, why }
    return { ...context, holdBack: strict }
  }

  #of(place: Place): number | null {
    const key = guardKey(place)
    const known = this.#left.get(key)
    if (known !== undefined) return known
    const remaining = this.#planning.guards.remainingRequests(place, this.#now)
    const left = remaining === null ? null : remaining - this.#inFlight(key)
    this.#left.set(key, left)
    return left
  }

  #inFlight(key: string): number {
    const leases = this.#planning.store.claims.leased().flatMap((claim) => claim.leases ?? [])
    return leases.filter((lease) => guardKey(lease) === key).length
  }
}
