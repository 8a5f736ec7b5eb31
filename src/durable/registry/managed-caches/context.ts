import { meter } from '../../../core/managed-cache/events.ts'
import { owedNanos, owedFromToday, rescheduleManagedCache, ttlToBuy } from '../../../core/managed-cache/plan.ts'
import type { ManagedCacheContext, ManagedCacheState, ReportedManagedCache } from '../../../core/managed-cache/state.ts'
import {
  KEEP_TIMEOUT_MS,
  LEASE_WAIT_MS,
  machineTime,
  SETTLE_SLACK_MS,
  WRITE_TIMEOUT_MS,
} from '../../../core/time/schedule.ts'
import type { StorageOfDay, StorageRate } from '../../../core/model/storage-price.ts'
import type { SealedCredentials } from '../../../runtime/seal.ts'
import { mostTokens } from '../records/managed-cache.ts'
import type { ManagedCacheRecord, ManagedCacheRow, ManagedCacheView } from '../records/managed-cache.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { StoredManagedCache } from '../records/managed-cache.ts'
import { storageNanos as storageCost } from '../../../core/model/storage-price.ts'
import { bookCall, bookStorage } from '../ledger/book-call.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { DEFAULT_CREDENTIAL } from '../../../calls/credential.ts'
import type { ManagedCacheLease } from '../../../calls/lease.ts'
import type { AccountSettings } from '../records/account.ts'

/** Collaborators that `ManagedCacheScheduler` needs beside its tables. `grainMs`: granularity of queue delays on this clock. */
export interface ManagedCachePorts {
  grainMs: number
  settings: () => AccountSettings
  /** Generation in force of a credential of the account; null when there is none of that name. */
  generationOf?: (credential: string) => number | null
  /** The sealed credentials of contents; null: they have none. */
  contentCredentialsOf?: (record: ManagedCacheRecord) => SealedCredentials | null
  /** Spent today on probes of the prefixes that the planner keeps in it. */
  spentBeside?: (record: ManagedCacheRecord, now: number) => number
  pricesOf: (
    provider: string,
    model: string,
    now: number,
  ) => {
    inputNanosPerMTok: number | null
    rates: StorageRate[]
    contextTokens?: number | undefined
  }
}

/** Input of every decision about the managed caches of one account, and the steps that book their results. */
export class ManagedCachePlanningContext {
  readonly store: ManagedCacheStore
  readonly ledger: RegistryStore
  readonly ports: ManagedCachePorts

  constructor(store: ManagedCacheStore, ledger: RegistryStore, ports: ManagedCachePorts) {
    this.store = store
    this.ledger = ledger
    this.ports = ports
  }

  /** Lease to make one call about a managed cache. Saves it as the claim of the cache. */
  lease(
    one: StoredManagedCache,
    call: { op: ManagedCacheLease['op']; why: string; worstNanos: number | null },
    now: number,
  ): ManagedCacheLease {
    const { k, record } = one
    const state = { ...one.state, leases: one.state.leases + 1 }
    const sendBy = now + LEASE_WAIT_MS + 2 * this.extraGrainMs
    const timeoutMs =
      call.op === 'create' ? machineTime(WRITE_TIMEOUT_MS, this.ports.grainMs) : KEEP_TIMEOUT_MS + this.extraGrainMs
    const adopts = call.op === 'create' && (record.prefixes !== undefined || state.unsure === true)
    const contents = call.op === 'create' ? (this.ports.contentCredentialsOf?.(record) ?? null) : null
    const lease: ManagedCacheLease = {
      id: `h${k}.${state.leases}`,
      target: { of: 'handle', k },
      op: call.op,
      provider: record.provider,
      model: record.model,
      fingerprint: record.fingerprint,
      credential: record.credential,
      credentialGeneration: record.credentialGeneration ?? 1,
      ...regionOf(record),
      ...(contents === null ? {} : { contentCredentials: contents }),
      name: call.op === 'create' ? null : (state.live?.name ?? null),
      ttlMs: ttlToBuy(state, record.keep, now),
      sendBy,
      timeoutMs,
      // The list may take as long as the creation.
      expiresAt: sendBy + timeoutMs * (adopts ? 2 : 1) + SETTLE_SLACK_MS + this.extraGrainMs,
      reservedNanos: call.worstNanos ?? 0,
      inputNanosPerMTok: this.ports.pricesOf(record.provider, record.model, now).inputNanosPerMTok,
      why: call.why,
      ...(adopts
        ? { adopts: { measuredTokens: state.measuredTokens ?? null, estimatedTokens: record.estimatedTokens } }
        : {}),
    }
    this.store.save(k, state, { untilAt: lease.expiresAt, lease })
    return lease
  }

  /** Adds a row to the history with the cost and the storage counted so far, books both and plans the next step. */
  recorded(
    one: StoredManagedCache,
    state: ManagedCacheState,
    event: ManagedCacheRow['event'],
    handle: string,
    costNanos: number | null,
    why: string,
    now: number,
    at = now,
    storage?: StorageOfDay[],
  ): ManagedCacheState {
    const before = one.state
    const tokens = state.live?.tokens ?? before.live?.tokens ?? null
    const priced = tokens !== null && this.context(one, now).rates.length > 0
    // Storage is booked at changes that have no row too.
    const storageNanos = priced ? state.storageNanos - (before.shownNanos ?? before.storageNanos) : null
    this.store.addRow(one.k, { at: now, event, handle, tokens, costNanos, storageNanos, why })
    return this.booked(one, { ...state, shownNanos: state.storageNanos }, now, null, at, storage)
  }

  /**
   * Books the cost of a change, and plans the next step. `at`: when the call was sent. `storage`: what the change charged, where that is not the
   * storage of the cache before it.
   */
  booked(
    one: StoredManagedCache,
    state: ManagedCacheState,
    now: number,
    failureKind: string | null = null,
    at = now,
    storage?: StorageOfDay[],
  ): ManagedCacheState {
    bookCall(this.ledger, at, state.creationNanos - one.state.creationNanos, failureKind)
    // Every event counts the storage first, so that the same days are found here.
    if (state.storageNanos > one.state.storageNanos)
      bookStorage(this.ledger, storage ?? meter(one.state, this.context(one, now).rates, now).storage)
    return this.planned(one, state, now)
  }

  /** Books the storage up to now. The caller must save the returned state. */
  metered(one: StoredManagedCache, now: number): StoredManagedCache {
    const { state, storage } = meter(one.state, this.context(one, now).rates, now)
    bookStorage(this.ledger, storage)
    return { ...one, state: { ...state, owedNanos: owedNanos(state, this.context(one, now).rates) } }
  }

  /** Plans the next step. A new stop becomes a row of the history. */
  planned(one: StoredManagedCache, state: ManagedCacheState, now: number): ManagedCacheState {
    const context = this.context(one, now)
    const next = { ...rescheduleManagedCache(state, context, now), owedNanos: owedNanos(state, context.rates) }
    if (
      next.stopped !== null &&
      next.stopped !== one.state.stopped &&
      next.stopped.reason !== one.state.stopped?.reason
    ) {
      const { why } = next.stopped
      const handle = next.live?.name ?? null
      this.store.addRow(one.k, { at: now, event: 'stopped', handle, tokens: null, costNanos: 0, storageNanos: 0, why })
    }
    return next
  }

  /** Schedules the deletion of a handle at its provider. */
  deleteLater(
    one: StoredManagedCache,
    handle: ReportedManagedCache & { meteredToAt: number; storedFromAt?: number },
    why: string,
    now: number,
  ): void {
    const { provider, model, fingerprint, credential, credentialGeneration = 1 } = one.record
    const { name, tokens, expiresAt, meteredToAt, storedFromAt = meteredToAt } = handle
    const { rates } = this.ports.pricesOf(provider, model, now)
    const deletion = {
      owner: one.k,
      provider,
      model,
      fingerprint,
      credential,
      credentialGeneration,
      ...regionOf(one.record),
      tokens,
      meteredToAt,
      storedFromAt,
      expiresAt,
      tries: 0,
      why,
      claim: null,
    }
    this.store.insertDeletion(name, now, deletion, storageCost(tokens, meteredToAt, expiresAt, rates) ?? 0)
  }

  /** View of a managed cache, with the storage cost up to now. */
  viewOf(one: StoredManagedCache, now: number): ManagedCacheView {
    const { state } = meter(one.state, this.context(one, now).rates, now)
    return { k: one.k, record: one.record, state, now, inFlight: one.claim?.lease != null }
  }

  killed(): boolean {
    const settings = this.ports.settings()
    return settings.killSwitch || settings.globalKillSwitch
  }

  /** Input of a decision about one managed cache, beside its state. */
  context({ k, record, state }: Pick<StoredManagedCache, 'k' | 'record' | 'state'>, now: number): ManagedCacheContext {
    const { budgetNanosPerDay } = this.ports.settings()
    const spent = budgetNanosPerDay === null ? 0 : this.ledger.spentNanos(now)
    const prices = this.ports.pricesOf(record.provider, record.model, now)
    // Its own uncounted storage of earlier days does not count against today's budget.
    const otherDays = (state.owedNanos ?? 0) - owedFromToday(state, prices.rates, now)
    return {
      keep: record.keep,
      ...prices,
      leftBehindNanos: this.store.departed.owedNanos(record.fingerprint),
      mostTokens: mostTokens(record),
      killed: this.killed(),
      ...goneOf(record, this.ports),
      accountLeftNanos:
        budgetNanosPerDay === null ? null : budgetNanosPerDay - spent - this.ledger.reservedNanos() + otherDays,
      besideNanos: record.chosen === true ? (this.ports.spentBeside?.(record, now) ?? 0) : 0,
      random: (k * 0.618_033_988_75 + state.failuresInRow * 0.754_877_666) % 1,
    }
  }

  get extraGrainMs(): number {
    return this.ports.grainMs - 1_000
  }
}

/** The region of a managed cache, for what is made of its record. */
export function regionOf({ region }: { region?: string }): { region?: string } {
  return region === undefined ? {} : { region }
}

/** Reason why the credential of a handle is unusable; an empty object while it is usable. */
export function goneOf(
  { credential = DEFAULT_CREDENTIAL, credentialGeneration = 1 }: { credential?: string; credentialGeneration?: number },
  { generationOf }: ManagedCachePorts,
): { credentialGone?: string } {
  if (credential === DEFAULT_CREDENTIAL || generationOf === undefined) return {}
  const current = generationOf(credential)
  if (current === credentialGeneration) return {}
  const what = current === null ? 'deleted' : 'replaced'
  return {
    credentialGone: `the credential ${credential} that created it was ${what}, so its handle is left to expire. Create another one with an existing credential (POST /caches)`,
  }
}
