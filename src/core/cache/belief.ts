import { isSuspected, suspicionWhy } from './drift.ts'
import { isRenewedByLonger, ownAnchorAt } from './longer-prefix.ts'
import { retentionInWords } from './retention.ts'
import { chanceOf, distanceOf, newLifetimes } from './lifetimes.ts'
import type { Lifetimes } from './lifetimes.ts'
import type { Survival } from './survival-curve.ts'
import { warmUntil } from '../prefix/state.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { LearnedRetention } from '../prefix/parts.ts'

export type WarmthState = 'warm' | 'expiring' | 'cold' | 'uncacheable' | 'unknown'

/** What evidence says of an entry at one instant. Probabilities are those of a request sent now reading it. */
export interface Belief {
  state: WarmthState
  pWarm: number
  /** 95 % interval of `pWarm`. */
  interval: [low: number, high: number]
  warmUntil: number | null
  /** True when `warmUntil` rests on an assumed retention, not on a stated one. */
  assumed: boolean
  why: string
}

/**
 * Prior evidence that requests reach the entry at all, as pseudo-counts: a stated retention counts as 99 hits of 100, an assumed one as 4
 * of 5. Answers outweigh it over time.
 */
function prior(retention: LearnedRetention): [hits: number, colds: number] {
  return retention.assumed ? [4, 1] : [99, 1]
}

/** Evidence that other prefixes of the same model gave. */
export interface Known {
  lifetimes: Lifetimes
  /** Number of the prefix in `lifetimes`. */
  k: number
  /** How long entries of its size were readable; absent: no answer shows it. */
  curve?: Survival | undefined
}

/** An entry is called warm where a request sent now reads it rather than not. */
const LIKELY = 0.5
/** Share of requests without a body that carry other text than the prefix they name: a deploy changed it, or each request does. */
const CHANGED = 0.05

/** The probability at `now` that a request reads the entry, from the answers about its model and about this prefix. */
function fromEvidence(
  state: PrefixState,
  retention: LearnedRetention,
  now: number,
  known: Known | undefined,
): Pick<Belief, 'pWarm' | 'interval'> {
  const [hits, colds] = prior(retention)
  const { survival, keepHits, keepColds } = state
  const { lifetimes, k, curve }: Known = known ?? { lifetimes: newLifetimes(retention, []), k: 0 }
  // Losses stand in the lifetimes; rows that were written before those were kept have the counts alone.
  const seen = keepHits + (survival === undefined ? 0 : lifetimes.seen)
  const n = hits + colds + seen + (survival === undefined ? keepColds : 0)
  const kept = (since: number, at: number) =>
    chanceOf(lifetimes, distanceOf(lifetimes, k, since, at), at - since, survival, curve)
  const { anchorAt, drift } = state
  const own = anchorAt ?? now
  let chance = kept(own, now)
  if (drift !== undefined && isSuspected(state, now)) {
    // Either the entry was gone and that request wrote it again, or the request carried something else.
    const gone = (1 - CHANGED) * (1 - kept(ownAnchorAt(state) ?? own, drift.sinceAt))
    chance = (gone * kept(drift.lastAt, now) + CHANGED * chance) / (gone + CHANGED)
  }
  const pWarm = ((hits + seen) / n) * chance
  const spread = 1.96 * Math.sqrt((pWarm * (1 - pWarm)) / (n + 1))
  return { pWarm, interval: [Math.max(0, pWarm - spread), Math.min(1, pWarm + spread)] }
}

/** Why an entry within its retention is more likely gone than not. */
function goneWhy(known: Known | undefined): string {
  return known?.lifetimes.by === 'others'
    ? 'other prompts were sent since, and the engine seems to hold no more than those'
    : 'but entries of this model were gone sooner of late, so that it has probably gone; the next probe shows it'
}

/** The evidence behind the belief, in words: the latest of our receipts and of real requests. */
function evidence(state: PrefixState): string {
  const { lastReceipt, lastHit, anchorAt } = state
  if (anchorAt !== null && lastHit?.at === anchorAt)
    return `a real request read ${lastHit.cachedTokens} tokens from the cache`
  if (isRenewedByLonger(state)) return 'a request of a longer prefix that begins with this one also renewed it'
  if (anchorAt !== null && lastReceipt !== null && anchorAt > lastReceipt.at)
    return 'a real request found it gone and wrote it again'
  return lastReceipt?.why ?? 'nothing has been sent yet'
}

/** The belief about an entry that no request can reach any more. It ignores the evidence. */
export function unreachable(why: string): Belief {
  return { state: 'cold', pWarm: 0, interval: [0, 0.05], warmUntil: null, assumed: false, why }
}

/** The belief at `now`. An entry counts as expiring in the last `expiringMs` before its lapse (the lead of its probes). */
export function belief(state: PrefixState, now: number, expiringMs: number, known?: Known): Belief {
  const until = warmUntil(state)
  const assumed = state.retention?.assumed ?? false
  const evidenceWhy = evidence(state)
  if (state.verdict === 'uncacheable') {
    return { state: 'uncacheable', pWarm: 0, interval: [0, 0.05], warmUntil: null, assumed, why: evidenceWhy }
  }
  if (state.verdict === 'none' || state.retention === null) {
    const why = state.lastReceipt === null ? 'there is no evidence yet' : evidenceWhy
    return { state: 'unknown', pWarm: 0.5, interval: [0, 1], warmUntil: null, assumed, why }
  }
  if (state.verdict === 'cold' || until === null) {
    return { state: 'cold', pWarm: 0.01, interval: [0, 0.05], warmUntil: null, assumed, why: state.why || evidenceWhy }
  }
  const observed = fromEvidence(state, state.retention, now, known)
  if (state.verdict === 'unknown') {
    // A keep-alive that found it gone has paid for it again, and most providers keep what they computed.
    const pWarm = state.lastReceipt?.kind === 'cold' ? observed.pWarm : 0.5
    if (now < until) return { state: 'unknown', pWarm, interval: [0, 1], warmUntil: until, assumed, why: evidenceWhy }
    return {
      state: 'unknown',
      pWarm: 0.2,
      interval: [0, 1],
      warmUntil: until,
      assumed,
      why: `${evidenceWhy}; its retention has passed`,
    }
  }
  if (state.drift !== undefined && isSuspected(state, now) && now < until) {
    const why = `${suspicionWhy(state.drift)}; the next probe shows which`
    return { state: 'unknown', ...observed, warmUntil: until, assumed, why }
  }
  if (now < until && observed.pWarm < LIKELY) {
    const why = `${evidenceWhy}; ${goneWhy(known)}`
    return { state: 'unknown', ...observed, warmUntil: until, assumed, why }
  }
  if (now < until) {
    const expiring = until - now <= expiringMs
    return {
      state: expiring ? 'expiring' : 'warm',
      pWarm: observed.pWarm,
      interval: observed.interval,
      warmUntil: until,
      assumed,
      why: `${evidenceWhy}; ${retentionInWords(state.retention)}, counted from the start of that request`,
    }
  }
  const over = now - until
  const mayLast = state.retention.kind === 'minimum' || state.retention.kind === 'best_effort' || assumed
  if (!mayLast) {
    const why = `no request has renewed it since ${new Date(state.anchorAt ?? until).toISOString()}: ${retentionInWords(state.retention)} has passed`
    return { state: 'cold', pWarm: 0.01, interval: [0, 0.05], warmUntil: until, assumed, why }
  }
  // The provider states a minimum, or nothing: the entry may still be there, with a chance that falls.
  const p = observed.pWarm * 0.5 * Math.exp(-over / state.retention.ttlMs)
  const why = `its ${assumed ? 'assumed ' : ''}retention has passed; the provider may keep it longer, but does not guarantee it`
  return { state: 'cold', pWarm: p, interval: [0, Math.min(1, 2 * p)], warmUntil: until, assumed, why }
}
