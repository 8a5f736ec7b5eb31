import type {
  ManagedCacheChange,
  ManagedCacheContext,
  ManagedCacheFailure,
  ManagedCacheOp,
  ManagedCacheState,
  LiveManagedCache,
  SeenManagedCache,
} from './state.ts'
import { creationNanos, storageNanos } from '../model/storage-price.ts'
import type { StorageRate } from '../model/storage-price.ts'
import { dayOf } from '../time/time.ts'
import { backoffMs } from '../time/backoff.ts'

const FIRST_BACKOFF_MS = 1_000
const LONGEST_BACKOFF_MS = 120_000

/** Counts storage up to `now`, or to the expiry where that came first. */
export function meter(state: ManagedCacheState, rates: readonly StorageRate[], now: number): ManagedCacheChange {
  const { live } = state
  if (live === null) return { state, costNanos: 0 }
  const toAt = Math.min(now, live.expiresAt)
  if (toAt <= live.meteredToAt) return { state, costNanos: 0 }
  const cost = storageNanos(live.tokens, live.meteredToAt, toAt, rates)
  const metered = { ...state, live: { ...live, meteredToAt: toAt } }
  return { state: charged(metered, 'storageNanos', cost, now), costNanos: cost }
}

function charged(
  state: ManagedCacheState,
  to: 'creationNanos' | 'storageNanos',
  costNanos: number | null,
  now: number,
): ManagedCacheState {
  if (costNanos === null) return { ...state, unpriced: true }
  const day = dayOf(now)
  const before = state.day === day ? state.dayNanos : 0
  return { ...state, [to]: state[to] + costNanos, day, dayNanos: before + costNanos }
}

const healed = { failuresInRow: 0, notBeforeAt: 0, lastFailure: null, stopped: null }

/** The provider made it: the handle that callers get is this one from now on. `startedAt`: when the request began. */
export function applyCreated(
  before: ManagedCacheState,
  seen: SeenManagedCache,
  startedAt: number,
  boughtMs: number,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheChange {
  const { state } = meter(before, context.rates, now)
  const tokens = seen.tokens ?? null
  const price = context.inputNanosPerMTok
  const cost = tokens === null || price === null ? null : creationNanos(tokens, price)
  const live: LiveManagedCache = {
    ...seen,
    tokens,
    // Counted from our own clock as well: a provider's clock that is ahead must not make it live longer here than there.
    expiresAt: Math.min(seen.expiresAt, startedAt + boughtMs),
    maybeUntilAt: null,
    seenAt: startedAt,
    provenAt: now,
    meteredToAt: startedAt,
  }
  const measured = tokens === null ? {} : { measuredTokens: tokens }
  const next = { ...state, ...healed, ...measured, live, creations: state.creations + 1, why: 'created' }
  return { state: charged(next, 'creationNanos', cost, now), costNanos: cost }
}

/** The provider moved its expiry, or (`verify`) said that it lives. */
export function applySeen(
  before: ManagedCacheState,
  op: 'renew' | 'verify',
  seen: SeenManagedCache,
  startedAt: number,
  boughtMs: number,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheChange {
  const { state, costNanos } = meter(before, context.rates, now)
  const { live } = state
  if (live === null || live.name !== seen.name) return { state, costNanos }
  const expiresAt = op === 'renew' ? Math.min(seen.expiresAt, startedAt + boughtMs) : seen.expiresAt
  const next: ManagedCacheState = {
    ...state,
    ...healed,
    // An answer lifts what waiting heals; what stopped it stays, unless it was bought anew.
    stopped: op === 'renew' ? null : state.stopped,
    live: {
      ...live,
      expiresAt,
      maybeUntilAt: null,
      seenAt: Math.max(live.seenAt, startedAt),
      provenAt: now,
      tokens: live.tokens ?? seen.tokens,
    },
    renewals: state.renewals + (op === 'renew' ? 1 : 0),
    why: op === 'renew' ? 'renewed' : state.why,
  }
  return { state: next, costNanos }
}

/** It is not there any more: deleted by us (`ended`), or found to be gone. From here on nobody is given it. */
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
    why: lost ? 'the provider does not have it any more' : 'deleted',
  }
  return { state: next, costNanos }
}

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
    // A question that was not answered stops nothing: the handle may well live.
    stopped:
      permanent && op !== 'verify' ? { reason: 'provider_refused', at: now, why: failure.message } : before.stopped,
    why: failure.message,
  }
  if (op === 'renew' && accepted === null && state.live !== null) {
    // A lifetime from the latest moment at which it can have been done.
    const live = { ...state.live, maybeUntilAt: doneByAt + state.ttlMs }
    return { state: { ...state, live }, costNanos: 0 }
  }
  if (op !== 'create' || accepted === false) return { state, costNanos: 0 }
  const cost = reservedNanos === 0 ? null : reservedNanos
  return { state: charged(state, 'creationNanos', cost, now), costNanos: cost }
}

/** Adopts a handle that carries our mark and that we had lost sight of: its creation was charged when it was lost. */
export function applyAdopted(
  before: ManagedCacheState,
  seen: SeenManagedCache,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheState {
  const live: LiveManagedCache = {
    ...seen,
    maybeUntilAt: null,
    seenAt: now,
    provenAt: now,
    meteredToAt: Math.min(seen.createdAt, now),
  }
  const adopted = { ...before, ...healed, live, creations: Math.max(1, before.creations), why: 'adopted' }
  return meter(adopted, context.rates, now).state
}
