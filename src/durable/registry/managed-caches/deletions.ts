import { CLAIM_GRACE_MS, KEEP_TIMEOUT_MS, LEASE_WAIT_MS, SETTLE_SLACK_MS } from '../../../core/time/schedule.ts'
import { storageByDay } from '../../../core/model/storage-price.ts'
import type { ManagedCacheDue } from '../records/managed-cache.ts'
import { goneOf, regionOf } from './context.ts'
import type { ManagedCachePorts } from './context.ts'
import type { StoredDeletion } from '../records/managed-cache.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import { bookCall, bookStorage } from '../ledger/book-call.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { DEFAULT_CREDENTIAL } from '../../../calls/credential.ts'
import type { ManagedCacheLease, ManagedCacheOutcome } from '../../../calls/lease.ts'
import { backoffMs } from '../../../core/time/backoff.ts'
import { MINUTE_MS } from '../../../core/time/time.ts'

const DELETIONS_PER_SWEEP = 2_000
const LONGEST_BACKOFF_MS = 10 * MINUTE_MS

/**
 * Deletions of handles at their providers. Each stays scheduled until the provider confirms it, or the handle expires. A deletion
 * saves money, so neither budgets nor the kill switch delay it.
 */
export class ManagedCacheDeletions {
  readonly #store: ManagedCacheStore
  readonly #ledger: RegistryStore
  readonly #ports: ManagedCachePorts

  constructor(store: ManagedCacheStore, ledger: RegistryStore, ports: ManagedCachePorts) {
    this.#store = store
    this.#ledger = ledger
    this.#ports = ports
  }

  get #extraGrainMs(): number {
    return this.#ports.grainMs - 1_000
  }

  sweep(now: number, horizonAt: number): ManagedCacheDue[] {
    const due: ManagedCacheDue[] = []
    for (const deletion of this.#store.deletions(horizonAt, DELETIONS_PER_SWEEP)) {
      const { claim } = deletion.record
      if (claim !== null && claim.untilAt > now) continue
      if (deletion.record.expiresAt <= now) {
        this.#end(deletion, deletion.record.expiresAt)
        continue
      }
      const dueAt = claim === null ? Math.max(now, deletion.wakeAt) : now
      const untilAt = dueAt + CLAIM_GRACE_MS + this.#extraGrainMs
      this.#store.saveDeletion(deletion.k, untilAt, { ...deletion.record, claim: { untilAt, lease: null } })
      due.push({ target: { of: 'drop', k: deletion.k }, delayMs: dueAt - now })
    }
    return due
  }

  release(k: number, now: number): void {
    const deletion = this.#store.deletion(k)
    if (deletion?.record.claim != null && deletion.record.claim.lease === null)
      this.#store.saveDeletion(k, now + 2_000, { ...deletion.record, claim: null })
  }

  begin(k: number, now: number): ManagedCacheLease | null {
    const deletion = this.#store.deletion(k)
    if (deletion === null || deletion.record.claim?.lease != null) return null
    if (goneOf(deletion.record, this.#ports).credentialGone !== undefined) {
      // Its credential is gone: the handle expires by itself, and its storage costs until then.
      this.#store.saveDeletion(k, deletion.record.expiresAt, { ...deletion.record, claim: null })
      return null
    }
    const { provider, model, fingerprint, why, tries, credential = DEFAULT_CREDENTIAL } = deletion.record
    const sendBy = now + LEASE_WAIT_MS + 2 * this.#extraGrainMs
    const timeoutMs = KEEP_TIMEOUT_MS + this.#extraGrainMs
    const lease: ManagedCacheLease = {
      id: `d${k}.${tries + 1}`,
      target: { of: 'drop', k },
      op: 'delete',
      provider,
      model,
      fingerprint,
      credential,
      credentialGeneration: deletion.record.credentialGeneration ?? 1,
      ...regionOf(deletion.record),
      name: deletion.name,
      ttlMs: 0,
      sendBy,
      timeoutMs,
      expiresAt: sendBy + timeoutMs + SETTLE_SLACK_MS + this.#extraGrainMs,
      reservedNanos: 0,
      why,
    }
    const claim = { untilAt: lease.expiresAt, lease }
    this.#store.saveDeletion(k, lease.expiresAt, { ...deletion.record, tries: tries + 1, claim })
    return lease
  }

  settle(outcome: ManagedCacheOutcome, now: number): void {
    const deletion = this.#store.deletion(outcome.target.k)
    if (deletion === null || deletion.record.claim?.lease?.id !== outcome.lease) return
    if (outcome.kind === 'answered' || outcome.kind === 'gone') {
      bookCall(this.#ledger, now, 0, null)
      // It was gone already, since an unknown time: no further storage is counted.
      this.#end(deletion, outcome.kind === 'gone' ? Math.min(now, deletion.record.meteredToAt) : now)
      return
    }
    if (outcome.kind === 'failed') bookCall(this.#ledger, now, 0, outcome.failure.kind)
    const wait = outcome.kind === 'failed' ? (outcome.retryAfterMs ?? 0) : 0
    const wakeAt = now + Math.max(wait, backoffMs(deletion.record.tries, 1, 1_000, LONGEST_BACKOFF_MS))
    this.#store.saveDeletion(deletion.k, wakeAt, { ...deletion.record, claim: null })
  }

  /** Ends a deletion: books the storage up to `endedAt`, also in the owner's history if the owner still exists. */
  #end({ k, name, record }: StoredDeletion, endedAt: number): void {
    const { rates } = this.#ports.pricesOf(record.provider, record.model, endedAt)
    const toAt = Math.min(endedAt, record.expiresAt)
    const { tokens, meteredToAt, storedFromAt = meteredToAt, fingerprint, why } = record
    const storage = storageByDay(tokens, { sinceAt: storedFromAt, fromAt: meteredToAt, toAt }, rates)
    const cost = storage?.reduce((sum, { nanos }) => sum + nanos, 0) ?? null
    bookStorage(this.#ledger, storage ?? [])
    this.#store.removeDeletion(k)
    const again = this.#store.keyOfContents(fingerprint)
    const owner = this.#store.load(record.owner) ?? (again === null ? null : this.#store.load(again))
    if (owner === null) {
      for (const { day, nanos } of storage ?? []) this.#store.departed.add(fingerprint, day, nanos)
      return
    }
    this.#store.addRow(owner.k, {
      at: endedAt,
      event: 'deleted',
      handle: name,
      tokens,
      costNanos: 0,
      storageNanos: cost,
      why,
    })
    const { state } = owner
    const ofToday = storage?.find(({ day }) => day === state.day)?.nanos ?? 0
    const counted =
      cost === null
        ? { ...state, unpriced: true }
        : {
            ...state,
            storageNanos: state.storageNanos + cost,
            shownNanos: (state.shownNanos ?? state.storageNanos) + cost,
            dayNanos: state.dayNanos + ofToday,
          }
    this.#store.save(owner.k, counted, owner.claim)
  }
}
