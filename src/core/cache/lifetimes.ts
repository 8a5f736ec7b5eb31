import { isSuspected } from './drift.ts'
import { isRenewedByLonger, ownAnchorAt } from './longer-prefix.ts'
import { bandAt, counted, ENOUGH_SAMPLES } from './survival-curve.ts'
import type { Survival, SurvivalCounts } from './survival-curve.ts'
import type { RetentionOffer } from '../model/facts.ts'
import type { Finding, Losses } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'
import { DAY_MS } from '../time/time.ts'

/**
 * How long one model keeps entries at one retention, learned from the answers about all prefixes of an account. An entry ends at a limit
 * that all entries share, or earlier by an eviction. An eviction is as likely at any time.
 */
export interface Lifetimes {
  /** `age`: a limit is a time since the last request that used the entry, in ms. `others`: a number of other prefixes used since. */
  by: 'age' | 'others'
  /** Lifetime that the provider states or the card assumes: the unit in which rates of evictions are thought of. */
  ttlMs: number
  /** Possible limits, and how probable each is; the probabilities sum to 1. */
  limits: [limit: number, probability: number][]
  evictions: Losses
  /** Entries found and gone by age and size; absent: no answer has proved anything, or time is not the limit. */
  curve?: SurvivalCounts
  /** Answers behind this; older ones count less. */
  seen: number
  /** Start of the last request that taught something. */
  at: number
  /** Prefixes in the order of their last use, the latest first; empty where time alone is the limit. */
  used: [k: number, at: number][]
}

/** A distance, as far as it is known. */
export interface Distance {
  least: number
  most: number
}

/** Share of models that keep entries of a stated retention for a shorter one on offer: an untold downgrade is rare. */
const DOWNGRADED = 0.02
/** An engine may hold so many prompts, with equal odds, or more. Default counts of slots are below 8; memory for prompts adds to them. */
const SLOTS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
/** An engine that holds more prompts than an account uses is as likely as one that does not. */
const MANY_SLOTS = 0.5
const ENDLESS = Number.MAX_SAFE_INTEGER
/** A new rule for all entries is expected once in this time. */
const RULES_LAST_MS = 7 * DAY_MS
/** Requests that nobody reported use an entry, which is then found past its limit, or take its place before. */
const UNREPORTED = 0.02
/** Which of two requests reached an engine first is not known if they were sent within this time. */
const AT_ONCE_MS = 2_000
/** Evictions that are expected before there is evidence: one in a hundred lifetimes, which weighs as much as twenty of them. */
const PRIOR: { lives: number; losses: number } = { lives: 20, losses: 0.2 }
/** How much of the earlier evidence counts beside one more answer: the last two hundred about a model, the last twenty about a prefix. */
const KEPT = 0.995
const KEPT_OF_ONE = 0.95

const NO_LOSSES: Losses = { exposureMs: 0, losses: 0 }

/** What is known before the first answer. `offer`: the retention that is asked for; `offers`: all that the model has. */
export function newLifetimes(
  offer: Pick<RetentionOffer, 'ttlMs' | 'assumed'>,
  offers: readonly RetentionOffer[],
  byUse = false,
): Lifetimes {
  return {
    by: byUse ? 'others' : 'age',
    ttlMs: offer.ttlMs,
    limits: byUse ? slotLimits() : timeLimits(offer, offers),
    evictions: NO_LOSSES,
    seen: 0,
    at: 0,
    used: [],
  }
}

function timeLimits(
  { ttlMs, assumed }: Pick<RetentionOffer, 'ttlMs' | 'assumed'>,
  offers: readonly RetentionOffer[],
): Lifetimes['limits'] {
  const shorter = assumed ? [] : offers.filter((one) => !one.assumed && one.ttlMs < ttlMs)
  const rest = shorter.length === 0 ? 0 : DOWNGRADED
  return [[ENDLESS, 1 - rest], ...shorter.map((one): [number, number] => [one.ttlMs, rest / shorter.length])]
}

function slotLimits(): Lifetimes['limits'] {
  return [[ENDLESS, MANY_SLOTS], ...SLOTS.map((slots): [number, number] => [slots, (1 - MANY_SLOTS) / SLOTS.length])]
}

/**
 * How far an entry that was last used at `since` is on its way to its limit at `now`: its age, or the number of other prefixes used
 * meanwhile. `sentNow`: a request was sent at `now`, and those of the same time may have come before or after it.
 */
export function distanceOf({ by, used }: Lifetimes, k: number, since: number, now: number, sentNow = false): Distance {
  if (by === 'age') return { least: now - since, most: now - since }
  const others = (from: number, to: number) => used.filter(([other, at]) => other !== k && at > from && at <= to).length
  const spareMs = sentNow ? AT_ONCE_MS : 0
  return { least: others(since + AT_ONCE_MS, now - spareMs), most: others(since - AT_ONCE_MS, now + spareMs) }
}

/** Evictions in a millisecond: of this model, and where given of one prefix, for which the model is the prior. */
function rateOf({ ttlMs, evictions }: Lifetimes, own: Losses = NO_LOSSES): number {
  const priorMs = PRIOR.lives * ttlMs
  const ofModel = (evictions.losses + PRIOR.losses) / (evictions.exposureMs + priorMs)
  return (own.losses + ofModel * priorMs) / (own.exposureMs + priorMs)
}

/**
 * The probability that an entry is there which was there `ageMs` ago and has come `distance` towards its limit. The rate of evictions is the
 * same at any age; `curve` has what was seen at this one, and bounds what the rate says of the model.
 */
export function chanceOf(
  known: Lifetimes,
  { least, most }: Distance,
  ageMs: number,
  own?: Losses,
  curve?: Survival,
): number {
  const within = (oddsWithin(known.limits, least) + oddsWithin(known.limits, most)) / 2
  const age = Math.max(0, ageMs)
  const ofModel = rateOf(known)
  const band = curve === undefined || curve.samples < ENOUGH_SAMPLES ? undefined : bandAt(curve, age)
  const kept = Math.min(band?.upper ?? 1, Math.max(band?.lower ?? 0, Math.exp(-ofModel * age)))
  return within * Math.min(1, kept * Math.exp((ofModel - rateOf(known, own)) * age))
}

function oddsWithin(limits: Lifetimes['limits'], distance: number): number {
  return limits.reduce((sum, [limit, odds]) => sum + (distance < limit ? odds : 0), 0)
}

/** Odds that the model keeps entries for less than `ttlMs`. */
export function oddsBelow({ by, limits }: Lifetimes, ttlMs: number): number {
  return by === 'age' ? limits.reduce((sum, [limit, odds]) => sum + (limit < ttlMs ? odds : 0), 0) : 0
}

/**
 * What a request at `at` showed of an entry. A renewal by a longer prefix is deduced: where it did not happen, a loss is as old as that.
 * `carries`: the request is known to carry the prefix, and its usage would tell a loss.
 */
export function finding(before: PrefixState, at: number, found: boolean, carries: boolean): Finding | null {
  // Whether the call of unknown outcome wrote it anew decides how old the entry was when it was gone.
  if (!found && lastUseAt(before) !== before.anchorAt) return null
  const since = found ? lastUseAt(before) : ownAnchorAt(before)
  const ageMs = Math.max(0, at - (since ?? at))
  const isKnown = before.verdict === 'warm' && !isRenewedByLonger(before) && !isSuspected(before, at)
  return { at, ageMs, found, ...(carries && isKnown && isEarly(before, ageMs) ? { proved: true } : {}) }
}

/** When the entry was used last, as far as it can be: a call of unknown outcome may have written it anew. Null: never. */
export function lastUseAt({ anchorAt, unsettledAt }: Pick<PrefixState, 'anchorAt' | 'unsettledAt'>): number | null {
  return anchorAt === null || unsettledAt === undefined ? anchorAt : Math.max(anchorAt, unsettledAt)
}

/** Whether an entry of that age must still be there by its retention: the stated one, or the longest that is assumed. */
export function isEarly({ retention }: Pick<PrefixState, 'retention'>, ageMs: number): boolean {
  if (retention === null) return false
  return ageMs < (retention.assumed ? retention.maxTtlMs : (retention.statedTtlMs ?? retention.ttlMs))
}

/** What is known of the model and of one prefix, of `tokens`, after one more request was to find its entry. */
export function learnt(
  known: Lifetimes,
  own: Losses | undefined,
  { least, most }: Distance,
  { at, ageMs, found, proved }: Finding,
  tokens: number,
): { model: Lifetimes; own: Losses } {
  const kept = Math.exp(-rateOf(known, own) * ageMs) * (1 - UNREPORTED)
  // Of the distances that are possible, the one that proves less.
  const distance = found ? least : most
  const odds = renewed(known, at).map(([limit, before]): [number, number] => {
    const isFound = distance < limit ? kept : UNREPORTED
    return [limit, before * (found ? isFound : 1 - isFound)]
  })
  const sum = odds.reduce((all, [, one]) => all + one, 0)
  // After many losses no limit may be possible any more in figures of this size: nothing is learnt about them.
  const limits = sum > 0 ? odds.map(([limit, one]): [number, number] => [limit, one / sum]) : known.limits
  // A limit explains a loss as well: only the rest is an eviction. When it came is not known, so in the middle.
  const evicted = oddsWithin(limits, distance)
  const more: Losses = { exposureMs: ageMs * evicted * (found ? 1 : 0.5), losses: found ? 0 : evicted }
  const counts =
    proved === true && known.by === 'age'
      ? counted(known.curve, { tokens, ageMs, found, weight: found ? 1 : evicted }, at)
      : known.curve
  const model: Lifetimes = {
    ...known,
    ...(counts === undefined ? {} : { curve: counts }),
    limits,
    evictions: added(known.evictions, more, KEPT),
    seen: known.seen * KEPT + 1,
    at: Math.max(known.at, at),
  }
  return { model, own: added(own ?? NO_LOSSES, more, KEPT_OF_ONE) }
}

/** The odds of the limits after the time since the last answer, in which the rule may have changed to any other. */
function renewed(known: Lifetimes, at: number): Lifetimes['limits'] {
  if (known.at === 0) return known.limits
  const changed = 1 - Math.exp(-Math.max(0, at - known.at) / RULES_LAST_MS)
  return known.limits.map(([limit, odds]) => [limit, odds * (1 - changed) + changed / known.limits.length])
}

function added(before: Losses, more: Losses, kept: number): Losses {
  return {
    exposureMs: Math.round(before.exposureMs * kept + more.exposureMs),
    losses: Number((before.losses * kept + more.losses).toFixed(3)),
  }
}

/** Notes that a request used a prefix at `at`. */
export function usedAt(known: Lifetimes, k: number, at: number): Lifetimes {
  if (known.by === 'age') return known
  if (known.used.some(([other, last]) => other === k && last >= at)) return known
  const used = [...known.used.filter(([other]) => other !== k), [k, at] as [number, number]]
  return { ...known, used: used.toSorted(([, a], [, b]) => b - a).slice(0, Math.max(...SLOTS) + 1) }
}
