import { failureValue } from '../../src/contract/failure.ts'
import type { ReportedManagedCache } from '../../src/core/managed-cache/state.ts'
import type { Die } from './random.ts'
import type { ManagedCacheLease, ManagedCacheOutcome } from '../../src/calls/lease.ts'

/** A handle at the provider, and its whole life. */
export interface Kept extends ReportedManagedCache {
  mark: string
  tokens: number
  /** When it was deleted, by whomever; infinity while it was not. */
  deletedAt: number
}

export interface HandleFaults {
  /** Calls answered with a 5xx without being done. */
  refused: number
  /** Calls that are done, and whose answer never comes. */
  silent: number
}

type Reply = Pick<ManagedCacheOutcome, 'kind'> & Record<string, unknown>

/** A provider that keeps handles, and says of each call what the real one would: kept apart from the code that it judges. */
export class HandleProvider {
  readonly all = new Map<string, Kept>()
  readonly #die: Die
  readonly #faults: HandleFaults
  #made = 0
  calls = { create: 0, renew: 0, verify: 0, delete: 0 }

  constructor(faults: HandleFaults, dice: Die) {
    this.#faults = faults
    this.#die = dice
  }

  endOf({ deletedAt, expiresAt }: Kept): number {
    return Math.min(deletedAt, expiresAt)
  }

  alive(name: string, now: number): boolean {
    const kept = this.all.get(name)
    return kept !== undefined && this.endOf(kept) > now
  }

  create(mark: string, tokens: number, ttlMs: number, now: number): Kept {
    this.#made += 1
    const name = `cachedContents/w${this.#made}`
    const kept: Kept = {
      name,
      mark,
      tokens,
      createdAt: now,
      expiresAt: now + ttlMs,
      deletedAt: Number.POSITIVE_INFINITY,
    }
    this.all.set(name, kept)
    return kept
  }

  delete(name: string, now: number): boolean {
    const kept = this.all.get(name)
    if (kept === undefined || !this.alive(name, now)) return false
    kept.deletedAt = now
    return true
  }

  /** One page is enough for this world. */
  list(now: number): Kept[] {
    return [...this.all.values()].filter((kept) => this.endOf(kept) > now)
  }

  /** What a lease leads to when it reaches the provider at `now`; null: done or not, no answer ever comes. */
  answer(lease: ManagedCacheLease, mark: string, tokens: number, now: number): Reply | null {
    const roll = this.#die.roll()
    this.calls[lease.op] += 1
    if (roll < this.#faults.refused) {
      const failure = failureValue('provider_unavailable', 'The provider cannot answer now.')
      return { kind: 'failed', failure, permanent: false, retryAfterMs: null, accepted: null }
    }
    const reply = this.#do(lease, mark, tokens, now)
    return roll < this.#faults.refused + this.#faults.silent ? null : reply
  }

  #do(lease: ManagedCacheLease, mark: string, tokens: number, now: number): Reply {
    if (lease.op === 'create') return { kind: 'answered', seen: seen(this.create(mark, tokens, lease.ttlMs, now)) }
    const kept = this.all.get(lease.name ?? '')
    if (kept === undefined || this.endOf(kept) <= now) return { kind: 'gone' }
    if (lease.op === 'delete') kept.deletedAt = now
    if (lease.op === 'renew') kept.expiresAt = now + lease.ttlMs
    return { kind: 'answered', seen: lease.op === 'delete' ? null : seen(kept) }
  }

  /** Tokens × hours that were stored up to `now`, by whoever asks for a price: the truth that the meter is held against. */
  stored(now: number, price: (tokens: number, fromAt: number, toAt: number) => number): number {
    let sum = 0
    for (const kept of this.all.values()) sum += price(kept.tokens, kept.createdAt, Math.min(now, this.endOf(kept)))
    return sum
  }
}

function seen({ name, tokens, createdAt, expiresAt }: Kept): ReportedManagedCache {
  return { name, tokens, createdAt, expiresAt }
}
