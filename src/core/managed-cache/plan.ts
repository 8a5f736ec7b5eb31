import { endsAt, mayLive } from './state.ts'
import type {
  ManagedCacheContext,
  ManagedCacheDecision,
  ManagedCacheKeep,
  ManagedCacheState,
  LiveManagedCache,
} from './state.ts'
import { dollars } from '../model/price.ts'
import { KEEP_TIMEOUT_MS, LEASE_WAIT_MS, SETTLE_SLACK_MS } from '../time/schedule.ts'
import { creationNanos, storageNanos } from '../model/storage-price.ts'
import { DAY_MS, dayOf, MINUTE_MS, nextDayAt } from '../time/time.ts'

/** From the decision to the latest moment at which a renewal can have been done. */
const RENEWAL_LASTS_MS = LEASE_WAIT_MS + KEEP_TIMEOUT_MS + SETTLE_SLACK_MS
const LONGEST_LEAD_MS = 15 * MINUTE_MS

/** The shortest lifetime that is worth a call. */
const SHORTEST_TTL_MS = MINUTE_MS

/**
 * How long before its expiry a handle is renewed. Storage is billed by the time that a handle lives, not by the time that
 * was asked for, so that renewing early costs nothing, and leaves time for an outage.
 */
export function renewLeadMs(ttlMs: number): number {
  return Math.min(LONGEST_LEAD_MS, Math.floor(ttlMs / 3))
}

/** How long the next creation or renewal is bought for: not past the end that is known. */
export function ttlToBuy(state: ManagedCacheState, keep: ManagedCacheKeep, now: number): number {
  if (keep.untilAt === null) return state.ttlMs
  return Math.min(state.ttlMs, Math.max(SHORTEST_TTL_MS, keep.untilAt - now))
}

/** What to do about a handle at `now`. */
export function decideManagedCache(
  state: ManagedCacheState,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheDecision {
  if (context.credentialGone !== undefined)
    return { do: 'stop', reason: 'credential_replaced', why: context.credentialGone }
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
      const worst = renewalNanos(state, { ...live, expiresAt: now }, context, now)
      return spend(state, context, now, 'renew', 'its last renewal was not answered, so that it may live', worst)
    }
    return spend(state, context, now, 'create', why, createNanos(state, context, now))
  }
  if (live.expiresAt >= endAt) return { do: 'wait', at: endAt, why: 'bought until its end' }
  const renewAt = live.expiresAt - renewLeadMs(state.ttlMs)
  if (now < renewAt) return { do: 'wait', at: Math.min(renewAt, endAt), why: 'renewed before it expires' }
  if (waitUntilAt !== null) return { do: 'wait', at: waitUntilAt, why: 'waits before the next try to renew it' }
  return spend(state, context, now, 'renew', 'renewed before it expires', renewalNanos(state, live, context, now))
}

/** The storage that a renewal adds to what is bought, where it takes effect as late as it can. */
function renewalNanos(
  state: ManagedCacheState,
  live: LiveManagedCache,
  context: ManagedCacheContext,
  now: number,
): number | null {
  const untilAt = now + RENEWAL_LASTS_MS + ttlToBuy(state, context.keep, now)
  return storageNanos(live.tokens, live.expiresAt, Math.max(live.expiresAt, untilAt), context.rates)
}

/** Somebody asks for a handle that lives to be renewed now: limits hold all the same. */
export function decideRenewal(
  state: ManagedCacheState,
  live: LiveManagedCache,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheDecision {
  if (context.killed) return { do: 'stop', reason: 'kill_switch', why: 'the kill switch is on' }
  const worst = renewalNanos(state, live, context, now)
  const refused = budgetRefusal(state, context, now, worst)
  if (refused !== null) return { do: 'stop', reason: 'budget_exhausted', why: refused }
  return { do: 'call', op: 'renew', why: 'asked for', worstNanos: worst }
}

/** The same question for somebody who asks for the handle now: what had stopped it before does not matter, limits do. */
export function decideAsked(state: ManagedCacheState, context: ManagedCacheContext, now: number): ManagedCacheDecision {
  if (context.credentialGone !== undefined)
    return { do: 'stop', reason: 'credential_replaced', why: context.credentialGone }
  if (context.killed) return { do: 'stop', reason: 'kill_switch', why: 'the kill switch is on' }
  const worst = createNanos(state, context, now)
  const refused = budgetRefusal(state, context, now, worst)
  if (refused !== null) return { do: 'stop', reason: 'budget_exhausted', why: refused }
  return { do: 'call', op: 'create', why: state.creations === 0 ? 'asked for' : 'asked for again', worstNanos: worst }
}

function spend(
  state: ManagedCacheState,
  context: ManagedCacheContext,
  now: number,
  op: 'create' | 'renew',
  why: string,
  worst: number | null,
): ManagedCacheDecision {
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
function createNanos(state: ManagedCacheState, context: ManagedCacheContext, now: number): number | null {
  if (context.inputNanosPerMTok === null) return null
  // Before the first count the estimate is doubled, as it is for a prefix: a token is two bytes at the least in the texts that are billed.
  const tokens = state.live?.tokens ?? state.measuredTokens ?? context.estimatedTokens * 2
  const kept = storageNanos(tokens, now, now + ttlToBuy(state, context.keep, now), context.rates)
  return kept === null ? null : creationNanos(tokens, context.inputNanosPerMTok) + kept
}

/** Storage that is bought and not yet counted: until its expiry, or until where an unanswered renewal may have moved it. */
export function owedNanos({ live }: Pick<ManagedCacheState, 'live'>, rates: ManagedCacheContext['rates']): number {
  if (live === null) return 0
  const endAt = Math.max(live.expiresAt, live.maybeUntilAt ?? 0)
  return storageNanos(live.tokens, live.meteredToAt, endAt, rates) ?? 0
}

/** The same without what has passed of it before the UTC day of `now`: that was another day's. */
export function owedFromToday(
  { live }: Pick<ManagedCacheState, 'live'>,
  rates: ManagedCacheContext['rates'],
  now: number,
): number {
  if (live === null) return 0
  const dayAt = nextDayAt(now) - DAY_MS
  return owedNanos({ live: { ...live, meteredToAt: Math.max(live.meteredToAt, dayAt) } }, rates)
}

function budgetRefusal(
  state: ManagedCacheState,
  context: ManagedCacheContext,
  now: number,
  worst: number | null,
): string | null {
  if (worst === null) return null
  const spent = (state.day === dayOf(now) ? state.dayNanos : 0) + owedFromToday(state, context.rates, now)
  const budget = context.keep.budgetNanosPerDay
  if (budget !== null && spent + worst > budget) {
    return `the worst case of one more call (${dollars(worst)}) does not fit into today's budget of ${dollars(budget)} (${dollars(spent)} spent or owed for storage)`
  }
  if (context.accountLeftNanos !== null && worst > context.accountLeftNanos) {
    return `the worst case of one more call (${dollars(worst)}) does not fit into what the account may still spend today (${dollars(context.accountLeftNanos)})`
  }
  return null
}

/** Plans the next step after anything that happened. A decision that stops is written down once, with its reason. */
export function rescheduleManagedCache(
  state: ManagedCacheState,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheState {
  if (state.stopped !== null && state.stopped.reason !== 'kill_switch') {
    // Without its credential nothing can be done about it, at its end neither.
    if (context.credentialGone !== undefined) return { ...state, nextAt: null }
    // Stopped or not, a handle that lives is deleted at its end.
    const endAt = Math.max(now, endsAt(state, context.keep))
    if (context.killed) return { ...state, nextAt: null }
    if (mayLive(state.live, endAt)) return { ...state, nextAt: endAt }
    // And one that expires before is looked at once more: its storage is in no books yet.
    const { live } = state
    return { ...state, nextAt: mayLive(live, now) ? Math.max(live?.expiresAt ?? 0, live?.maybeUntilAt ?? 0) : null }
  }
  const decision = decideManagedCache(state, context, now)
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
