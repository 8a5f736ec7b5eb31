import type { FailureValue } from '../contract/failures.ts'
import { usd } from './price.ts'
import { backoffMs, dayOf, nextDayAt } from './schedule.ts'
import { storageNanos } from './storage-meter.ts'
import type { StorageRate } from './storage-meter.ts'

/**
 * A managed cache: contents that a provider keeps under a name (the handle) until a time. Reads do not extend it, updates
 * do, and at any moment somebody else may delete it. What to do about one is decided here, from its state and the time.
 */
export interface HandleState {
  /** The handle that callers are given; null while there is none. Replaced whole, in one commit: nobody sees half a swap. */
  live: LiveHandle | null
  /** What each creation and each renewal buys. */
  ttlMs: number
  /** When somebody last asked for it. */
  lastUsedAt: number
  /** When something is to be done next; null: nothing before somebody asks. */
  nextAt: number | null
  stopped: { reason: HandleStop; at: number; why: string } | null
  failuresInRow: number
  /** A provider asked us to wait until then, or we back off. */
  notBeforeAt: number
  lastFailure: { at: number; failure: FailureValue } | null
  /** Leases given so far: makes their ids. */
  leases: number
  creations: number
  renewals: number
  /** Handles that were found gone before their time. */
  losses: number
  creationNanos: number
  storageNanos: number
  /** True when a token count or a price was unknown, so that the sums above are not all. */
  unpriced: boolean
  day: string
  dayNanos: number
  why: string
}

export interface LiveHandle {
  name: string
  /** Null when the provider did not say how many. */
  tokens: number | null
  createdAt: number
  expiresAt: number
  /** A renewal whose outcome is not known may have moved its expiry to here; null: there is none. */
  maybeUntilAt: number | null
  /** When the request began whose answer last proved that it lives … */
  seenAt: number
  /** … and when that answer came. */
  provenAt: number
  /** Storage is counted up to here. */
  meteredToAt: number
}

export type HandleStop = 'kill_switch' | 'ended' | 'budget_exhausted' | 'price_unknown' | 'provider_refused'

/** How long to keep it: until a time, or while somebody asks for it. */
export interface HandleKeep {
  untilAt: number | null
  /** Kept while it was asked for within this long. */
  idleMs: number | null
  /** Creation and storage together, a UTC day; null: no limit but the account's. */
  budgetNanosPerDay: number | null
}

export interface HandleContext {
  keep: HandleKeep
  /** Price of a million tokens at creation; null when unknown. */
  inputNanosPerMTok: number | null
  /** Empty when unknown. */
  rates: readonly StorageRate[]
  estimatedTokens: number
  killed: boolean
  accountLeftNanos: number | null
  /** In [0, 1): spreads retries. */
  random: number
}

export type HandleOp = 'create' | 'renew' | 'verify' | 'delete'

export type HandleDecision =
  | { do: 'call'; op: 'create' | 'renew' | 'delete'; why: string; worstNanos: number | null }
  | { do: 'wait'; at: number; why: string }
  | { do: 'stop'; reason: HandleStop; why: string }

const MINUTE_MS = 60_000
const LONGEST_LEAD_MS = 15 * MINUTE_MS
/** The shortest lifetime that is worth a call. */
const SHORTEST_TTL_MS = MINUTE_MS
const FIRST_BACKOFF_MS = 1_000
const LONGEST_BACKOFF_MS = 2 * MINUTE_MS

/**
 * How long before its expiry a handle is renewed. Storage is billed by the time that a handle lives, not by the time that
 * was asked for, so that renewing early costs nothing, and leaves time for an outage.
 */
export function renewLeadMs(ttlMs: number): number {
  return Math.min(LONGEST_LEAD_MS, Math.floor(ttlMs / 3))
}

export function newHandleState(now: number, ttlMs: number): HandleState {
  return {
    live: null,
    ttlMs,
    lastUsedAt: now,
    nextAt: now,
    stopped: null,
    failuresInRow: 0,
    notBeforeAt: 0,
    lastFailure: null,
    leases: 0,
    creations: 0,
    renewals: 0,
    losses: 0,
    creationNanos: 0,
    storageNanos: 0,
    unpriced: false,
    day: dayOf(now),
    dayNanos: 0,
    why: 'not created yet',
  }
}

/** When keeping ends, as things stand; infinity when nothing ends it. */
export function endsAt(state: HandleState, keep: HandleKeep): number {
  const idle = keep.idleMs === null ? Number.POSITIVE_INFINITY : state.lastUsedAt + keep.idleMs
  return Math.min(keep.untilAt ?? Number.POSITIVE_INFINITY, idle)
}

/** How long the next creation or renewal is bought for: not past the end that is known. */
export function ttlToBuy(state: HandleState, keep: HandleKeep, now: number): number {
  if (keep.untilAt === null) return state.ttlMs
  return Math.min(state.ttlMs, Math.max(SHORTEST_TTL_MS, keep.untilAt - now))
}

/** What to do about a handle at `now`. */
export function decideHandle(state: HandleState, context: HandleContext, now: number): HandleDecision {
  if (context.killed) return { do: 'stop', reason: 'kill_switch', why: 'the kill switch is on' }
  const { live } = state
  const alive = live !== null && live.expiresAt > now
  const perhaps = mayLive(live, now)
  const endAt = endsAt(state, context.keep)
  const ended = context.keep.untilAt !== null && context.keep.untilAt <= now ? 'its time is over' : 'nobody asks for it'
  if (now >= endAt) {
    if (!perhaps) return { do: 'stop', reason: 'ended', why: ended }
    return { do: 'call', op: 'delete', why: `${ended}, so that its storage is not paid for any longer`, worstNanos: 0 }
  }
  const waitUntilAt = state.notBeforeAt > now ? state.notBeforeAt : null
  if (!alive) {
    const why = live === null && state.creations === 0 ? 'asked for' : 're-created: the last handle is gone'
    if (waitUntilAt !== null) return { do: 'wait', at: waitUntilAt, why: 'waits before the next try to create it' }
    if (perhaps && live !== null) {
      const worst = storageNanos(live.tokens, now, now + ttlToBuy(state, context.keep, now), context.rates)
      return spend(state, context, now, 'renew', 'its last renewal was not answered, so that it may live', worst)
    }
    return spend(state, context, now, 'create', why, createNanos(state, context, now))
  }
  if (live.expiresAt >= endAt) return { do: 'wait', at: endAt, why: 'bought until its end' }
  const renewAt = live.expiresAt - renewLeadMs(state.ttlMs)
  if (now < renewAt) return { do: 'wait', at: Math.min(renewAt, endAt), why: 'renewed before it expires' }
  if (waitUntilAt !== null) return { do: 'wait', at: waitUntilAt, why: 'waits before the next try to renew it' }
  const more = Math.max(0, now + ttlToBuy(state, context.keep, now) - live.expiresAt)
  const worst = storageNanos(live.tokens, live.expiresAt, live.expiresAt + more, context.rates)
  return spend(state, context, now, 'renew', 'renewed before it expires', worst)
}

/** Whether the provider may still have it: by the clock, or because nobody knows how its last renewal ended. */
export function mayLive(live: LiveHandle | null, now: number): boolean {
  return live !== null && Math.max(live.expiresAt, live.maybeUntilAt ?? 0) > now
}

/** The same question for somebody who asks for the handle now: what had stopped it before does not matter, limits do. */
export function decideAsked(state: HandleState, context: HandleContext, now: number): HandleDecision {
  if (context.killed) return { do: 'stop', reason: 'kill_switch', why: 'the kill switch is on' }
  const worst = createNanos(state, context, now)
  const refused = budgetRefusal(state, context, now, worst)
  if (refused !== null) return { do: 'stop', reason: 'budget_exhausted', why: refused }
  return { do: 'call', op: 'create', why: state.creations === 0 ? 'asked for' : 'asked for again', worstNanos: worst }
}

function spend(
  state: HandleState,
  context: HandleContext,
  now: number,
  op: 'create' | 'renew',
  why: string,
  worst: number | null,
): HandleDecision {
  // What somebody asked for is theirs to pay; what goes on by itself needs a price to stay inside of a budget.
  const limited = context.keep.budgetNanosPerDay !== null || context.accountLeftNanos !== null
  if (worst === null && limited && state.creations > 0) {
    return {
      do: 'stop',
      reason: 'price_unknown',
      why: 'a token count or a price is unknown, so that no budget can be kept; lift it with keep.budget_usd_per_day: null',
    }
  }
  const refused = budgetRefusal(state, context, now, worst)
  if (refused === null) return { do: 'call', op, why, worstNanos: worst }
  const budget = context.keep.budgetNanosPerDay
  if (budget !== null && worst !== null && worst > budget)
    return { do: 'stop', reason: 'budget_exhausted', why: refused }
  return { do: 'wait', at: nextDayAt(now), why: refused }
}

/** The creation, and the storage that it commits to. */
function createNanos(state: HandleState, context: HandleContext, now: number): number | null {
  if (context.inputNanosPerMTok === null) return null
  const tokens = state.live?.tokens ?? context.estimatedTokens
  const kept = storageNanos(tokens, now, now + ttlToBuy(state, context.keep, now), context.rates)
  return kept === null ? null : creationNanos(tokens, context.inputNanosPerMTok) + kept
}

function creationNanos(tokens: number, inputNanosPerMTok: number): number {
  return Math.ceil((tokens * inputNanosPerMTok) / 1_000_000)
}

function budgetRefusal(state: HandleState, context: HandleContext, now: number, worst: number | null): string | null {
  if (worst === null) return null
  const spent = state.day === dayOf(now) ? state.dayNanos : 0
  const budget = context.keep.budgetNanosPerDay
  if (budget !== null && spent + worst > budget) {
    return `the worst case of one more call (${dollars(worst)}) does not fit into today's budget of ${dollars(budget)} (${dollars(spent)} spent)`
  }
  if (context.accountLeftNanos !== null && worst > context.accountLeftNanos) {
    return `the worst case of one more call (${dollars(worst)}) does not fit into what the account may still spend today (${dollars(context.accountLeftNanos)})`
  }
  return null
}

function dollars(nanos: number): string {
  return `$${usd(nanos).toPrecision(3)}`
}

// What happened

/** A handle as the provider describes it. */
export interface SeenHandle {
  name: string
  tokens: number | null
  createdAt: number
  expiresAt: number
}

/** A state after something happened, and what that cost; null: not known. */
export interface HandleChange {
  state: HandleState
  costNanos: number | null
}

/** Counts storage up to `now`, or to the expiry where that came first. */
export function meter(state: HandleState, rates: readonly StorageRate[], now: number): HandleChange {
  const { live } = state
  if (live === null) return { state, costNanos: 0 }
  const toAt = Math.min(now, live.expiresAt)
  if (toAt <= live.meteredToAt) return { state, costNanos: 0 }
  const cost = storageNanos(live.tokens, live.meteredToAt, toAt, rates)
  const metered = { ...state, live: { ...live, meteredToAt: toAt } }
  return { state: charged(metered, 'storageNanos', cost, now), costNanos: cost }
}

function charged(
  state: HandleState,
  to: 'creationNanos' | 'storageNanos',
  costNanos: number | null,
  now: number,
): HandleState {
  if (costNanos === null) return { ...state, unpriced: true }
  const day = dayOf(now)
  const before = state.day === day ? state.dayNanos : 0
  return { ...state, [to]: state[to] + costNanos, day, dayNanos: before + costNanos }
}

const healed = { failuresInRow: 0, notBeforeAt: 0, lastFailure: null, stopped: null }

/** The provider made it: the handle that callers get is this one from now on. `startedAt`: when the request began. */
export function applyCreated(
  before: HandleState,
  seen: SeenHandle,
  startedAt: number,
  boughtMs: number,
  context: HandleContext,
  now: number,
): HandleChange {
  const { state } = meter(before, context.rates, now)
  const tokens = seen.tokens ?? null
  const price = context.inputNanosPerMTok
  const cost = tokens === null || price === null ? null : creationNanos(tokens, price)
  const live: LiveHandle = {
    ...seen,
    tokens,
    // Counted from our own clock as well: a provider's clock that is ahead must not make it live longer here than there.
    expiresAt: Math.min(seen.expiresAt, startedAt + boughtMs),
    maybeUntilAt: null,
    seenAt: startedAt,
    provenAt: now,
    meteredToAt: startedAt,
  }
  const next = { ...state, ...healed, live, creations: state.creations + 1, why: 'created' }
  return { state: charged(next, 'creationNanos', cost, now), costNanos: cost }
}

/** The provider moved its expiry, or (`verify`) said that it lives. */
export function applySeen(
  before: HandleState,
  op: 'renew' | 'verify',
  seen: SeenHandle,
  startedAt: number,
  boughtMs: number,
  context: HandleContext,
  now: number,
): HandleChange {
  const { state, costNanos } = meter(before, context.rates, now)
  const { live } = state
  if (live === null || live.name !== seen.name) return { state, costNanos }
  const expiresAt = op === 'renew' ? Math.min(seen.expiresAt, startedAt + boughtMs) : seen.expiresAt
  const next: HandleState = {
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
  before: HandleState,
  name: string,
  how: 'ended' | 'lost',
  context: HandleContext,
  now: number,
): HandleChange {
  if (before.live?.name !== name) return { state: before, costNanos: 0 }
  const { state, costNanos } = meter(before, context.rates, now)
  const lost = how === 'lost'
  const next: HandleState = {
    ...state,
    live: null,
    notBeforeAt: 0,
    losses: state.losses + (lost ? 1 : 0),
    why: lost ? 'the provider does not have it any more' : 'deleted',
  }
  return { state: next, costNanos }
}

export interface HandleFailure {
  failure: FailureValue
  /** Waiting does not heal it. */
  permanent: boolean
  retryAfterMs: number | null
  /** False: surely not taken. Null: nobody knows, and a creation is charged at its worst case. */
  accepted: false | null
}

export function applyHandleFailure(
  before: HandleState,
  op: HandleOp,
  { failure, permanent, retryAfterMs, accepted }: HandleFailure,
  reservedNanos: number,
  context: HandleContext,
  now: number,
): HandleChange {
  const failuresInRow = before.failuresInRow + 1
  const backoff = backoffMs(failuresInRow, context.random, FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS)
  const state: HandleState = {
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
    const live = { ...state.live, maybeUntilAt: now + state.ttlMs }
    return { state: { ...state, live }, costNanos: 0 }
  }
  if (op !== 'create' || accepted === false) return { state, costNanos: 0 }
  const cost = reservedNanos === 0 ? null : reservedNanos
  return { state: charged(state, 'creationNanos', cost, now), costNanos: cost }
}

/** Adopts a handle that carries our mark and that we had lost sight of: its creation was charged when it was lost. */
export function applyAdopted(before: HandleState, seen: SeenHandle, context: HandleContext, now: number): HandleState {
  const live: LiveHandle = {
    ...seen,
    maybeUntilAt: null,
    seenAt: now,
    provenAt: now,
    meteredToAt: Math.min(seen.createdAt, now),
  }
  const adopted = { ...before, ...healed, live, creations: Math.max(1, before.creations), why: 'adopted' }
  return meter(adopted, context.rates, now).state
}

/** Plans the next step after anything that happened. A decision that stops is written down once, with its reason. */
export function rescheduleHandle(state: HandleState, context: HandleContext, now: number): HandleState {
  if (state.stopped !== null && state.stopped.reason !== 'kill_switch') {
    // Stopped or not, a handle that lives is deleted at its end.
    const endAt = Math.max(now, endsAt(state, context.keep))
    const nextAt = mayLive(state.live, endAt) && !context.killed ? endAt : null
    return { ...state, nextAt }
  }
  const decision = decideHandle(state, context, now)
  if (decision.do === 'stop') {
    if (state.stopped?.reason === decision.reason) return { ...state, nextAt: null }
    return {
      ...state,
      nextAt: null,
      stopped: { reason: decision.reason, at: now, why: decision.why },
      why: decision.why,
    }
  }
  const nextAt = decision.do === 'call' ? now : decision.at
  return { ...state, stopped: null, nextAt, why: decision.why }
}

/** Forgets what had stopped it, because somebody asks for it. */
export function restartHandle(state: HandleState, now: number): HandleState {
  return { ...state, stopped: null, failuresInRow: 0, notBeforeAt: 0, lastUsedAt: Math.max(now, state.lastUsedAt) }
}
