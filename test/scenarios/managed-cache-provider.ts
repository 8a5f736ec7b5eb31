import { failureValue } from '../../src/contract/failure.ts'
import type { ReportedManagedCache } from '../../src/core/managed-cache/state.ts'
import type { Die } from './random.ts'
import type { ManagedCacheLease, ManagedCacheOutcome } from '../../src/calls/lease.ts'

/** A managed cache at the provider, from its creation to its end. */
export interface StoredCache extends ReportedManagedCache {
  displayName: string
  tokens: number
  /** Instant of its deletion; infinity before it. */
  deletedAt: number
}

export interface ManagedCacheFaults {
  /** Share of calls that the provider answers with a 5xx and does not do. */
  refused: number
  /** Share of calls that the provider does without an answer. */
  silent: number
}

type Reply = Pick<ManagedCacheOutcome, 'kind'> & Record<string, unknown>

/** A provider of managed caches that answers like the real one. It shares no code with the scheduler that it tests. */
export class ManagedCacheProvider {
  readonly all = new Map<string, StoredCache>()
  readonly #die: Die
  readonly #faults: ManagedCacheFaults
  #made = 0
  calls = { create: 0, renew: 0, verify: 0, delete: 0 }

  constructor(faults: ManagedCacheFaults, dice: Die) {
    this.#faults = faults
    this.#die = dice
  }

  endOf({ deletedAt, expiresAt }: StoredCache): number {
    return Math.min(deletedAt, expiresAt)
  }

  alive(name: string, now: number): boolean {
    const kept = this.all.get(name)
    return kept !== undefined && this.endOf(kept) > now
  }

  create(displayName: string, tokens: number, ttlMs: number, now: number): StoredCache {
    this.#made += 1
    const name = `cachedContents/w${this.#made}`
    const kept: StoredCache = {
      name,
      displayName,
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

  /** Lists the living caches, always as one page. */
  list(now: number): StoredCache[] {
    return [...this.all.values()].filter((kept) => this.endOf(kept) > now)
  }

  /** Answers the call of a lease that arrives at `now`; null: no answer comes, though the call may have been done. */
  answer(lease: ManagedCacheLease, displayName: string, tokens: number, now: number): Reply | null {
    const roll = this.#die.roll()
    this.calls[lease.op] += 1
    if (roll < this.#faults.refused) {
      const failure = failureValue('provider_unavailable', 'The provider cannot answer now.')
      return { kind: 'failed', failure, permanent: false, retryAfterMs: null, accepted: null }
    }
    const reply = this.#do(lease, displayName, tokens, now)
    return roll < this.#faults.refused + this.#faults.silent ? null : reply
  }

  #do(lease: ManagedCacheLease, displayName: string, tokens: number, now: number): Reply {
    if (lease.op === 'create')
      return { kind: 'answered', seen: seen(this.create(displayName, tokens, lease.ttlMs, now)) }
    const kept = this.all.get(lease.name ?? '')
    if (kept === undefined || this.endOf(kept) <= now) return { kind: 'gone' }
    if (lease.op === 'delete') kept.deletedAt = now
    if (lease.op === 'renew') kept.expiresAt = now + lease.ttlMs
    return { kind: 'answered', seen: lease.op === 'delete' ? null : seen(kept) }
  }

  /** Sums the price of the storage up to `now`: the true figure that the meter is compared with. */
  stored(now: number, price: (tokens: number, fromAt: number, toAt: number) => number): number {
    let sum = 0
    for (const kept of this.all.values()) sum += price(kept.tokens, kept.createdAt, Math.min(now, this.endOf(kept)))
    return sum
  }
}

function seen({ name, tokens, createdAt, expiresAt }: StoredCache): ReportedManagedCache {
  return { name, tokens, createdAt, expiresAt }
}
