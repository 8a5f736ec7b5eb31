import {
  failed,
  holdForCircuitBreaker,
  isOpen,
  newCircuitBreaker,
  succeeded,
  trialStarted,
} from '../../../core/planning/circuit-breaker.ts'
import type { CircuitBreaker } from '../../../core/planning/circuit-breaker.ts'
import { holdForRateLimits, requestsLeft, scarce } from '../../../core/planning/rate-limit.ts'
import type { HoldBack, RateLimit } from '../../../core/planning/rate-limit.ts'
import type { GuardView } from '../records/guard.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'
import { HOUR_MS } from '../../../core/time/time.ts'

/** Rate limits and circuit breaker of one provider in one region under one credential. */
interface Guard {
  limits: RateLimit[]
  breaker: CircuitBreaker
  /** End of the time in which calls leave through an `Egress`: the provider refused the region of an earlier call. */
  elsewhereUntil: number
}

/** What shares one quota and fails together. `region`: the one that a caller named; absent: the deployment's. */
export type GuardedPlace = Pick<Lease, 'provider' | 'credential' | 'region'>

/** Region of the `Egress` for providers that refuse the region of this object. */
const EGRESS_REGION = 'wnam'
/** Time after a refusal until calls are sent directly again. */
const ELSEWHERE_MS = HOUR_MS

/**
 * Rate limits and circuit breakers of an account, by provider, region and credential. Open breakers and scarce limits survive an eviction:
 * they are one row, written with a settlement when it changed. Failure counts below the threshold live in memory alone.
 */
export class ProviderGuards {
  readonly #store: RegistryStore
  readonly #guards: Map<string, Guard>
  #saved: string

  constructor(store: RegistryStore) {
    this.#store = store
    this.#saved = store.setting('guards') ?? '[]'
    this.#guards = new Map(JSON.parse(this.#saved) as [string, Guard][])
    // What a settlement observed stays true; that it was saved does not.
    store.readAgainAfterRollback(() => (this.#saved = store.setting('guards') ?? '[]'))
  }

  /** Reason to delay a call of about `tokens` tokens; null: it may be sent now. */
  holdBack(place: GuardedPlace, tokens: number, now: number): HoldBack | null {
    const guard = this.#guards.get(guardKey(place))
    if (guard === undefined) return null
    const limit = holdForRateLimits(guard.limits, tokens, now)
    const breaker = holdForCircuitBreaker(guard.breaker, now)
    if (limit === null || breaker === null) return limit ?? breaker
    return limit.strict || limit.untilAt >= breaker.untilAt ? limit : breaker
  }

  /** Requests that the rate limit still allows, calls in flight not subtracted; null: the limit is not scarce. */
  remainingRequests(place: GuardedPlace, now: number): number | null {
    const guard = this.#guards.get(guardKey(place))
    return guard === undefined ? null : requestsLeft(guard.limits, now)
  }

  leased(lease: Lease, now: number): void {
    const guard = this.#guards.get(guardKey(lease))
    if (guard !== undefined) guard.breaker = trialStarted(guard.breaker, now)
  }

  settled(lease: Lease, outcome: Outcome, now: number): void {
    const { k } = lease
    if (outcome.kind === 'not_sent') return
    const key = guardKey(lease)
    const guard = this.#guards.get(key) ?? { limits: [], breaker: newCircuitBreaker(), elsewhereUntil: 0 }
    this.#guards.set(key, guard)
    if (outcome.limits !== undefined && outcome.limits.length > 0) guard.limits = scarce(outcome.limits, now)
    if (refusedPlace(lease, outcome)) guard.elsewhereUntil = now + ELSEWHERE_MS
    guard.breaker =
      outcome.kind === 'answered'
        ? succeeded(guard.breaker)
        : failed(guard.breaker, k, outcome.failure.kind, outcome.permanent, now)
  }

  /** Region through which calls to a provider leave; null: directly. A refusal applies to every credential there. */
  route(place: Omit<GuardedPlace, 'credential'>, now: number): DurableObjectLocationHint | null {
    for (const [key, { elsewhereUntil }] of this.#guards)
      if (elsewhereUntil > now && key.startsWith(guardKey({ ...place, credential: '' }))) return EGRESS_REGION
    return null
  }

  /** Saves what changed; runs inside the transaction of a settlement. */
  save(now: number): void {
    const kept = [...this.#guards].flatMap(([key, { limits, breaker, elsewhereUntil }]) => {
      const guard: Guard = { limits: scarce(limits, now), breaker: withoutCounts(breaker), elsewhereUntil }
      return guard.limits.length === 0 && breaker.openings === 0 && elsewhereUntil <= now ? [] : [[key, guard]]
    })
    const text = JSON.stringify(kept)
    if (text === this.#saved) return
    this.#store.saveSetting('guards', text)
    this.#saved = text
  }

  views(now: number): GuardView[] {
    return [...this.#guards].map(([key, { limits, breaker }]) => {
      const shares = scarce(limits, now).map(({ remaining, limit }) => remaining / limit)
      return {
        provider: providerOf(key),
        open: isOpen(breaker, now),
        openings: breaker.openings,
        remainingShare: shares.length === 0 ? null : Math.min(...shares),
      }
    })
  }
}

/** True where the provider refused the region of a call that was sent directly. */
export function refusedPlace(lease: Lease, outcome: Outcome): boolean {
  return outcome.kind === 'failed' && outcome.failure.detail?.['geo'] === true && lease.via === undefined
}

/** Names a place. The keys of places without a region are stored since before there were others. */
export function guardKey({ provider, credential, region }: GuardedPlace): string {
  return `${region === undefined ? provider : `${provider}@${region}`}/${credential}`
}

function providerOf(key: string): string {
  return key.slice(0, key.search(/[@/]/))
}

/** Breaker without its failure counts: they change with every failure, and would cost a row each time. */
function withoutCounts(breaker: CircuitBreaker): CircuitBreaker {
  const { openUntil, openedAt, opens, openings } = breaker
  return { ...newCircuitBreaker(), openUntil, openedAt, opens, openings }
}
