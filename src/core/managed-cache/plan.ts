import { endsAt, mayExist } from './state.ts'
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

/** From the decision to the latest instant at which the provider can have carried out a renewal. */
const RENEWAL_LASTS_MS = LEASE_WAIT_MS + KEEP_TIMEOUT_MS + SETTLE_SLACK_MS
/** Longest time before the expiry at which a cache is renewed. */
const LONGEST_LEAD_MS = 15 * MINUTE_MS

/** Shortest lifetime that a call buys. */
const SHORTEST_TTL_MS = MINUTE_MS

/**
 * Time before its expiry at which a cache is renewed. Providers bill storage by the real lifetime and not by the requested one, so
 * renewing early costs nothing and leaves time for an outage.
 */
export function renewLeadMs(ttlMs: number): number {
  return Math.min(LONGEST_LEAD_MS, Math.floor(ttlMs / 3))
}

/** Lifetime that the next creation or renewal asks for: not past the end of the plan. */
export function ttlToBuy(state: ManagedCacheState, keep: ManagedCacheKeep, now: number): number {
  if (keep.untilAt === null) return state.ttlMs
  return Math.min(state.ttlMs, Math.max(SHORTEST_TTL_MS, keep.untilAt - now))
}

/** What to do about a managed cache at `now`. */
export function decideManagedCache(
  state: ManagedCacheState,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheDecision {
  if (context.credentialGone !== undefined)
    return { do: 'stop', reason: 'credential_replaced', why: context.credentialGone }
  if (context.killed) return { do: 'stop', reason: 'kill_switch', why: 'the kill switch is on' }
  const { live } = state
  const exists = live !== null && live.expiresAt > now
  const mayStillExist = mayExist(live, now)
  const endAt = endsAt(state, context.keep)
  const ended =
    context.keep.untilAt !== null && context.keep.untilAt <= now ? 'its time has passed' : 'no caller uses it'
  if (now >= endAt) {
    if (!mayStillExist) return { do: 'stop', reason: 'ended', why: ended }
    return { do: 'call', op: 'delete', why: `${ended}, so it is deleted to save storage`, worstNanos: 0 }
  }
  const waitUntilAt = state.notBeforeAt > now ? state.notBeforeAt : null
  if (!exists) {
    const why = live === null && state.creations === 0 ? 'requested' : 'created again because the last one is gone'
    if (waitUntilAt !== null) return { do: 'wait', at: waitUntilAt, why: 'waits before the next attempt to create it' }
    if (mayStillExist && live !== null) {
      const worst = renewalNanos(state, { ...live, expiresAt: now }, context, now)
      return spend(state, context, now, 'renew', 'the provider did not answer its last renewal, so it may exist', worst)
    }
    return spend(state, context, now, 'create', why, createNanos(state, context, now))
  }
  if (live.expiresAt >= endAt) return { do: 'wait', at: endAt, why: 'it already lasts until its end' }
  const renewAt = live.expiresAt - renewLeadMs(state.ttlMs)
  if (now < renewAt) return { do: 'wait', at: Math.min(renewAt, endAt), why: 'renewed before it expires' }
  if (waitUntilAt !== null) return { do: 'wait', at: waitUntilAt, why: 'waits before the next attempt to renew it' }
  return spend(state, context, now, 'renew', 'renewed before it expires', renewalNanos(state, live, context, now))
}

/** Cost of the storage that a renewal adds, if it takes effect at the latest possible instant. */
function renewalNanos(
  state: ManagedCacheState,
  live: LiveManagedCache,
  context: ManagedCacheContext,
  now: number,
): number | null {
  const untilAt = now + RENEWAL_LASTS_MS + ttlToBuy(state, context.keep, now)
  return storageNanos(live.tokens, live.expiresAt, Math.max(live.expiresAt, untilAt), context.rates)
}

/** A caller asks for a renewal of an existing cache now. Budgets apply. */
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
  return { do: 'call', op: 'renew', why: 'requested', worstNanos: worst }
}

/** A caller asks for a cache now. Earlier stops do not count; budgets apply. */
export function decideRequested(
  state: ManagedCacheState,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheDecision {
  if (context.credentialGone !== undefined)
    return { do: 'stop', reason: 'credential_replaced', why: context.credentialGone }
  if (context.killed) return { do: 'stop', reason: 'kill_switch', why: 'the kill switch is on' }
  const worst = createNanos(state, context, now)
  const refused = budgetRefusal(state, context, now, worst)
  if (refused !== null) return { do: 'stop', reason: 'budget_exhausted', why: refused }
  return { do: 'call', op: 'create', why: state.creations === 0 ? 'requested' : 'requested again', worstNanos: worst }
}

function spend(
  state: ManagedCacheState,
  context: ManagedCacheContext,
  now: number,
  op: 'create' | 'renew',
  why: string,
  worst: number | null,
): ManagedCacheDecision {
  // A caller pays for what it requested. A later renewal needs a price to stay inside a budget.
  const limited = context.keep.budgetNanosPerDay !== null || context.accountLeftNanos !== null
  if (worst === null && limited && state.creations > 0) {
    return {
      do: 'stop',
      reason: 'price_unknown',
      why: 'a token count or a price is unknown, so the budget cannot be checked; keep.budget_usd_per_day: null removes the budget',
    }
  }
  const refused = budgetRefusal(state, context, now, worst)
  if (refused === null) return { do: 'call', op, why, worstNanos: worst }
  const budget = context.keep.budgetNanosPerDay
  if (budget !== null && worst !== null && worst > budget)
    return { do: 'stop', reason: 'budget_exhausted', why: refused }
  return { do: 'wait', at: nextDayAt(now), why: refused }
}

/** Cost of a creation with the storage that it buys, in nano-dollars; null: unknown. */
function createNanos(state: ManagedCacheState, context: ManagedCacheContext, now: number): number | null {
  return creationWorstNanos(expectedTokens(state, context), ttlToBuy(state, context.keep, now), context, now)
}

/** Cost of a creation of so many tokens, with their storage for its lifetime, in nano-dollars; null: unknown. */
export function creationWorstNanos(
  tokens: number | null,
  ttlMs: number,
  { inputNanosPerMTok, rates }: Pick<ManagedCacheContext, 'inputNanosPerMTok' | 'rates'>,
  now: number,
): number | null {
  if (inputNanosPerMTok === null || tokens === null) return null
  const kept = storageNanos(tokens, now, now + ttlMs, rates)
  return kept === null ? null : creationNanos(tokens, inputNanosPerMTok) + kept
}

/** The most tokens that a creation is reserved for: as the provider counted the contents before, else their bound. Null: no bound is known. */
export function expectedTokens(
  { live, measuredTokens }: Pick<ManagedCacheState, 'live' | 'measuredTokens'>,
  { mostTokens }: Pick<ManagedCacheContext, 'mostTokens'>,
): number | null {
  return live?.tokens ?? measuredTokens ?? mostTokens
}

/** Storage that is bought and not charged yet, in nano-dollars: up to the expiry, or to where an unanswered renewal may have moved it. */
export function owedNanos({ live }: Pick<ManagedCacheState, 'live'>, rates: ManagedCacheContext['rates']): number {
  if (live === null) return 0
  const endAt = Math.max(live.expiresAt, live.maybeUntilAt ?? 0)
  return storageNanos(live.tokens, live.meteredToAt, endAt, rates) ?? 0
}

/** `owedNanos` without the part before the UTC day of `now`, which belongs to an earlier day. */
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
  if (worst === null) return unboundedRefusal(state, context)
  const spent =
    (state.day === dayOf(now) ? state.dayNanos : 0) +
    owedFromToday(state, context.rates, now) +
    (context.leftBehindNanos ?? 0) +
    (context.besideNanos ?? 0)
  const budget = context.keep.budgetNanosPerDay
  if (budget !== null && spent + worst > budget) {
    return `the worst case of one more call (${dollars(worst)}) does not fit into today's budget of ${dollars(budget)} (${dollars(spent)} spent or owed for storage)`
  }
  if (context.accountLeftNanos !== null && worst > context.accountLeftNanos) {
    return `the worst case of one more call (${dollars(worst)}) does not fit into what the account may still spend today (${dollars(context.accountLeftNanos)})`
  }
  return null
}

/** Why no budget can hold contents: a part of them has tokens that nobody limits, and the provider has not counted them. */
function unboundedRefusal(
  { live, measuredTokens }: ManagedCacheState,
  { keep, accountLeftNanos, mostTokens, inputNanosPerMTok }: ManagedCacheContext,
): string | null {
  const isKnown = mostTokens !== null || measuredTokens !== undefined || (live !== null && live.tokens !== null)
  const isLimited = keep.budgetNanosPerDay !== null || accountLeftNanos !== null
  if (isKnown || !isLimited || inputNanosPerMTok === null) return null
  return 'a part of the contents can have any number of tokens, and this provider states no limit of them, so their creation cannot be held to a budget'
}

/** Plans the next step after an event. A stop is recorded once, with its reason. */
export function rescheduleManagedCache(
  state: ManagedCacheState,
  context: ManagedCacheContext,
  now: number,
): ManagedCacheState {
  if (state.stopped !== null && state.stopped.reason !== 'kill_switch') {
    // Without its credential the cache cannot be deleted either.
    if (context.credentialGone !== undefined) return { ...state, nextAt: null }
    // A stopped cache is deleted at its end, if it exists.
    const endAt = Math.max(now, endsAt(state, context.keep))
    if (mayExist(state.live, endAt) && !context.killed) return { ...state, nextAt: endAt }
    return { ...state, nextAt: storageEndsAt(state, now) }
  }
  const decision = decideManagedCache(state, context, now)
  if (decision.do === 'stop') {
    if (state.stopped?.reason === decision.reason) return { ...state, nextAt: storageEndsAt(state, now) }
    const stopped = { reason: decision.reason, at: now, why: decision.why }
    const next = { ...state, stopped, why: decision.why }
    if (decision.reason === 'kill_switch') return { ...next, nextAt: storageEndsAt(state, now) }
    return rescheduleManagedCache(next, context, now)
  }
  const nextAt = decision.do === 'call' ? now : decision.at
  return { ...state, stopped: null, nextAt, why: decision.why }
}

/** When the storage of a stopped cache ends. It is planned once more then, to charge it. Null: it has none. */
function storageEndsAt({ live }: ManagedCacheState, now: number): number | null {
  return live !== null && mayExist(live, now) ? Math.max(live.expiresAt, live.maybeUntilAt ?? 0) : null
}
