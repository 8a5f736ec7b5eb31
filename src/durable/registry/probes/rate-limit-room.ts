import type { HoldBack } from '../../../core/planning/rate-limit.ts'
import type { PlanContext } from '../../../core/planning/plan.ts'
import type { PlanningContext } from './context.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

type Place = Pick<PrefixRecord, 'provider' | 'credential'>

/** How many calls may still be begun at once where a provider's limit is scarce: the answers that say so come later. */
export class RemainingRequests {
  readonly #situation: PlanningContext
  readonly #now: number
  /** Left, by provider and credential; null: enough. */
  readonly #left = new Map<string, number | null>()

  constructor(situation: PlanningContext, now: number) {
    this.#situation = situation
    this.#now = now
  }

  isScarce(place: Place): boolean {
    return this.#of(place) !== null
  }

  take(place: Place): void {
    const left = this.#of(place)
    if (left !== null) this.#left.set(keyOf(place), left - 1)
  }

  /** What a decision is given: nothing more is sent where there is no room. */
  within(place: Place, context: PlanContext): PlanContext {
    const left = this.#of(place)
    const { holdBack } = context
    if (left === null || left > 0 || holdBack === undefined || holdBack.code !== 'limit' || holdBack.strict)
      return context
    const why =
      "what the provider's limit leaves until its reset goes to prefixes that are expected to save more for each dollar"
    const strict: HoldBack = { ...holdBack, strict: true, why }
    return { ...context, holdBack: strict }
  }

  #of(place: Place): number | null {
    const key = keyOf(place)
    const known = this.#left.get(key)
    if (known !== undefined) return known
    const room = this.#situation.guards.room(place.provider, place.credential, this.#now)
    const left = room === null ? null : room - this.#underWay(key)
    this.#left.set(key, left)
    return left
  }

  #underWay(key: string): number {
    const leases = this.#situation.store.claims.leased().flatMap((claim) => claim.leases ?? [])
    return leases.filter((lease) => keyOf(lease) === key).length
  }
}

function keyOf({ provider, credential }: Place): string {
  return `${provider}/${credential}`
}
