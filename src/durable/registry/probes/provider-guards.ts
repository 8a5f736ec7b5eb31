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

/** What stands between an account's calls and one provider, for one credential. */
interface Guard {
  limits: RateLimit[]
  breaker: CircuitBreaker
  /** Until when calls leave through an `Egress`, because the provider refused the place that one came from. */
  elsewhereUntil: number
}

/** The region that calls leave through where a provider refuses the one they come from. */
const REGION = 'wnam'
/** For so long after a refusal; then the short way is tried again. */
const ELSEWHERE_MS = HOUR_MS

/**
 * The limits and breakers of an account, one of each per provider and credential. What has to survive (an open breaker, a scarce
 * limit) is one row, written with a settlement and only when it changed; a count of failures that led to nothing yet is memory.
 */
export class ProviderGuards {
  readonly #store: RegistryStore
  readonly #guards: Map<string, Guard>
  #saved: string

  constructor(store: RegistryStore) {
    this.#store = store
    this.#saved = store.setting('guards') ?? '[]'
    this.#guards = new Map(JSON.parse(this.#saved) as [string, Guard][])
  }

  /** Why a call of about `tokens` tokens should not be sent now; null when it may. */
  holdBack(provider: string, credential: string, tokens: number, now: number): HoldBack | null {
    const guard = this.#guards.get(keyOf(provider, credential))
    if (guard === undefined) return null
    const limit = holdForRateLimits(guard.limits, tokens, now)
    const breaker = holdForCircuitBreaker(guard.breaker, now)
    if (limit === null || breaker === null) return limit ?? breaker
    return limit.strict || limit.untilAt >= breaker.untilAt ? limit : breaker
  }

  /** Requests that a provider's limit has room for, whatever is in flight; null: it is not scarce. */
  room(provider: string, credential: string, now: number): number | null {
    const guard = this.#guards.get(keyOf(provider, credential))
    return guard === undefined ? null : requestsLeft(guard.limits, now)
  }

  leased({ provider, credential }: Lease, now: number): void {
    const guard = this.#guards.get(keyOf(provider, credential))
    if (guard !== undefined) guard.breaker = trialStarted(guard.breaker, now)
  }

  settled(lease: Lease, outcome: Outcome, now: number): void {
    const { provider, credential, k } = lease
    if (outcome.kind === 'not_sent') return
    const key = keyOf(provider, credential)
    const guard = this.#guards.get(key) ?? { limits: [], breaker: newCircuitBreaker(), elsewhereUntil: 0 }
    this.#guards.set(key, guard)
    if (outcome.limits !== undefined && outcome.limits.length > 0) guard.limits = scarce(outcome.limits, now)
    if (refusedPlace(lease, outcome)) guard.elsewhereUntil = now + ELSEWHERE_MS
    guard.breaker =
      outcome.kind === 'answered'
        ? succeeded(guard.breaker)
        : failed(guard.breaker, k, outcome.failure.kind, outcome.permanent, now)
  }

  /** Which region calls to a provider leave through; null: the place where they are made. Every credential is of one place. */
  route(provider: string, now: number): DurableObjectLocationHint | null {
    for (const [key, { elsewhereUntil }] of this.#guards)
      if (elsewhereUntil > now && providerOf(key) === provider) return REGION
    return null
  }

  /** Part of the settlement's transaction. */
  save(now: number): void {
    const kept = [...this.#guards].flatMap(([key, { limits, breaker, elsewhereUntil }]) => {
      const guard: Guard = { limits: scarce(limits, now), breaker: quiet(breaker), elsewhereUntil }
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

/** The provider refused the place that a call came from, and it had not been sent from elsewhere yet. */
export function refusedPlace(lease: Lease, outcome: Outcome): boolean {
  return outcome.kind === 'failed' && outcome.failure.detail?.['geo'] === true && lease.via === undefined
}

function providerOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

function keyOf(provider: string, credential: string): string {
  return `${provider}/${credential}`
}

/** Without what changes with every failure. */
function quiet(breaker: CircuitBreaker): CircuitBreaker {
  const { openUntil, openedAt, opens, openings } = breaker
  return { ...newCircuitBreaker(), openUntil, openedAt, opens, openings }
}
