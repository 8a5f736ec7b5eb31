import type {
  ManagedCacheChange,
  ManagedCacheContext,
  ManagedCacheFailure,
  ManagedCacheOp,
  ManagedCacheState,
  LiveManagedCache,
  ReportedManagedCache,
} from './state.ts'
import { creationNanos, storageByDay } from '../model/storage-price.ts'
import type { StorageRate } from '../model/storage-price.ts'
import { believablePrompt } from '../model/usage.ts'
import { dayOf } from '../time/time.ts'
import { backoffMs } from '../time/backoff.ts'

const FIRST_BACKOFF_MS = 1_000
const LONGEST_BACKOFF_MS = 120_000

/** Charges storage up to `now`, or up to the expiry if that is earlier. */
export function meter(state: ManagedCacheState, rates: readonly StorageRate[], now: number): ManagedCacheChange {
  const { live } = state
  if (live === null) return { state, costNanos: 0 }
  const toAt = Math.min(now, live.expiresAt)
  if (toAt <= live.meteredToAt) return { state, costNanos: 0 }
  const sinceAt = live.storedFromAt ?? live.meteredToAt
  const metered = { ...state, live: { ...live, meteredToAt: toAt, storedFromAt: sinceAt } }
  const storage = storageByDay(live.tokens, { sinceAt, fromAt: live.meteredToAt, toAt }, rates)
  if (storage === null) return { state: { ...metered, unpriced: true }, costNanos: null }
  return {
    state: storage.reduce<ManagedCacheState>(
      (one, { day, nanos }) => chargedOn(one, 'storageNanos', nanos, day, now),
      metered,
    ),
    costNanos: storage.reduce((sum, { nanos }) => sum + nanos, 0),
    storage,
  }
}

function charged(
  state: ManagedCacheState,
  to: 'creationNanos' | 'storageNanos',
  costNanos: number | null,
  at: number,
  now: number,
): ManagedCacheState {
  return costNanos === null ? { ...state, unpriced: true } : chargedOn(state, to, costNanos, dayOf(at), now)
}

/** Charges an amount of `day`. Only that of today counts against today's budget. */
function chargedOn(
  state: ManagedCacheState,
  to: 'creationNanos' | 'storageNanos',
  costNanos: number,
  day: string,
  now: number,
): ManagedCacheState {
  const today = dayOf(now)
  const before = state.day === today ? state.dayNanos : 0
  return { ...state, [to]: state[to] + costNanos, day: today, dayNanos: before + (day === today ? costNanos : 0) }
}

function sure({ unsure: _unsure, ...state }: ManagedCacheState): ManagedCacheState {
  return state
}

const RECOVERED = { failuresInRow: 0, notBeforeAt: 0, lastFailure: null, stopped: null }

/**
 * The provider created the cache: callers get its handle from now on. `startedAt`: start of the request. `boughtMs`: requested lifetime.
 * `worstNanos`: worst case of the creation and its storage, charged where the count is missing or cannot be true; null: not known.
 */
export function applyCreated(
  before: ManagedCacheState,
  reported: ReportedManagedCache,
  startedAt: number,
  boughtMs: number,
  context: ManagedCacheContext,
  now: number,
  worstNanos: number | null = null,
): ManagedCacheChange {
  const { state, storage = [] } = meter(before, context.rates, now)
  const tokens = believablePrompt(reported.tokens ?? null, context.contextTokens)
  const price = context.inputNanosPerMTok
  const cost = tokens === null || price === null ? worstNanos : creationNanos(tokens, price)
  const live: LiveManagedCache = {
    ...reported,
    tokens,
    // Limited by our own clock: where the provider's clock is ahead, its expiry would be too late here.
    expiresAt: Math.min(reported.expiresAt, startedAt + boughtMs),
    maybeUntilAt: null,
    seenAt: startedAt,
    provenAt: now,
    meteredToAt: startedAt,
    storedFromAt: startedAt,
  }
  const measured = tokens === null ? {} : { measuredTokens: tokens }
  const next = { ...sure(state), ...RECOVERED, ...measured, live, creations: state.creations + 1, why: 'created' }
  return { state: charged(next, 'creationNanos', cost, startedAt, now), costNanos: cost, storage }
}

/** The provider moved the expiry (`renew`), or reported that the cache exists (`verify`). */
export function applyConfirmed(
  before: ManagedCacheState,
  op: 'renew' | 'verify',
  reported: ReportedManagedCache,
  startedAt: number,
  boughtMs: number,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheChange {
  const { state, costNanos } = meter(before, context.rates, now)
  const { live } = state
  if (live === null || live.name !== reported.name) return { state, costNanos }
  const expiresAt = op === 'renew' ? Math.min(reported.expiresAt, startedAt + boughtMs) : reported.expiresAt
  const next: ManagedCacheState = {
    ...state,
    ...RECOVERED,
    // An answer ends a wait. A stop stays, unless the cache was renewed.
    stopped: op === 'renew' ? null : state.stopped,
    live: {
      ...live,
      expiresAt,
      maybeUntilAt: null,
      seenAt: Math.max(live.seenAt, startedAt),
      provenAt: now,
      tokens: live.tokens ?? reported.tokens,
    },
    renewals: state.renewals + (op === 'renew' ? 1 : 0),
    why: op === 'renew' ? 'renewed' : state.why,
  }
  return { state: next, costNanos }
}

/** The cache is gone: we deleted it (`ended`), or the provider does not have it (`lost`). Callers get its handle no more. */
export function applyGone(
  before: ManagedCacheState,
  name: string,
  how: 'ended' | 'lost',
  context: ManagedCacheContext,
  now: number,
): ManagedCacheChange {
  if (before.live?.name !== name) return { state: before, costNanos: 0 }
  const { state, costNanos } = meter(before, context.rates, now)
  const lost = how === 'lost'
  const next: ManagedCacheState = {
    ...state,
    live: null,
    notBeforeAt: 0,
    losses: state.losses + (lost ? 1 : 0),
    why: lost ? 'the provider no longer has it' : 'deleted',
  }
  return { state: next, costNanos }
}

/**
 * A call about a managed cache failed. `reservedNanos`: worst case of a creation, charged where its outcome is unknown; 0: unknown
 * price. `doneByAt`: latest instant at which the provider can have carried out the call.
 */
export function applyManagedCacheFailure(
  before: ManagedCacheState,
  op: ManagedCacheOp,
  { failure, permanent, retryAfterMs, accepted }: ManagedCacheFailure,
  reservedNanos: number,
  context: ManagedCacheContext,
  now: number,
  doneByAt = now,
): ManagedCacheChange {
  const failuresInRow = before.failuresInRow + 1
  const backoff = backoffMs(failuresInRow, context.random, FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS)
  const state: ManagedCacheState = {
    ...before,
    failuresInRow,
    lastFailure: { at: now, failure },
    notBeforeAt: now + Math.max(backoff, retryAfterMs ?? 0),
    // A failed `verify` stops nothing: the cache may exist.
    stopped:
      permanent && op !== 'verify' ? { reason: 'provider_refused', at: now, why: failure.message } : before.stopped,
    why: failure.message,
  }
  if (op === 'renew' && accepted === null && state.live !== null) {
    // The renewal may have been carried out as late as `doneByAt`.
    const live = { ...state.live, maybeUntilAt: doneByAt + state.ttlMs }
    return { state: { ...state, live }, costNanos: 0 }
  }
  if (op !== 'create' || accepted === false) return { state, costNanos: 0 }
  const cost = reservedNanos === 0 ? null : reservedNanos
  return { state: charged({ ...state, unsure: true }, 'creationNanos', cost, now, now), costNanos: cost }
}

/**
 * Adopts a cache of ours that is missing in the table, and charges its storage since it was created. Its creation was charged when its outcome
 * was unknown. What is known of another one is charged first.
 */
export function applyAdopted(
  before: ManagedCacheState,
  reported: ReportedManagedCache,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheChange {
  const { state: upToNow, storage: former = [] } = meter(before, context.rates, now)
  const { name, tokens, createdAt, expiresAt } = reported
  const live: LiveManagedCache = {
    name,
    tokens,
    createdAt,
    expiresAt,
    maybeUntilAt: null,
    seenAt: now,
    provenAt: now,
    meteredToAt: Math.min(createdAt, now),
  }
  const adopted = { ...sure(upToNow), ...RECOVERED, live, creations: Math.max(1, before.creations), why: 'adopted' }
  const { state, costNanos, storage = [] } = meter(adopted, context.rates, now)
  return { state, costNanos, storage: [...former, ...storage] }
}
