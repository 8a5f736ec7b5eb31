import type { SavingRow } from '../prefix/history.ts'
import type { ReadShare } from '../cache/read-share.ts'
import { coldNanos } from '../cache/longer-head.ts'
import { grantedRetention } from '../cache/retention.ts'
import { writeNanos } from '../model/price.ts'
import { gapEnded, gapHeld, gapOpened, savedNanos } from './saving.ts'
import type { PrefixState } from '../prefix/state.ts'
import { lossAfter } from './stop-loss.ts'
import type { Price, RetentionOffer } from '../model/facts.ts'
import type { ReceiptKind, Purpose } from '../prefix/receipt.ts'
import type { LearnedRetention, OpenGap } from '../prefix/parts.ts'

/**
 * How long an entry is taken to live without keep-alives, in milliseconds. Where the provider states no time, it is the longest
 * possible one: an earlier hit may have needed no keep-alive, so no saving is credited. Where the stated time was found not to
 * be kept, it is the gap after which an entry was found gone.
 */
function unaidedMs(retention: LearnedRetention): number {
  const { assumed, ttlMs, maxTtlMs, statedTtlMs, shortestMissGapMs } = retention
  if (assumed) return maxTtlMs
  return statedTtlMs === undefined ? ttlMs : Math.max(ttlMs, shortestMissGapMs ?? statedTtlMs)
}

/** The idle gap after one of our calls was answered; `retention` is the one after that answer. */
export function gapAfterAnswer(
  { gap, retention }: Pick<PrefixState, 'gap' | 'retention'>,
  answer: { at: number; kind: ReceiptKind; purpose: Purpose; wrote: boolean; share?: ReadShare },
): OpenGap {
  const { at, kind, purpose, wrote } = answer
  if (retention === null || kind === 'uncacheable') return gap
  // A read of less than half found another prompt's entry, not this one.
  const read = kind === 'full' || (kind === 'partial' && answer.share !== 'less')
  // A requested write opens a gap even where the answer does not report writes.
  if (purpose === 'write' && !read) return gapOpened(gap, at, unaidedMs(retention))
  if (!read && !wrote) return gap
  if (gap.fromAt === null) return gapOpened(gap, at, unaidedMs(retention))
  return retention.kind === 'fixed' && !wrote ? gap : gapHeld(gap, at, retention.ttlMs)
}

/** What the price of a rewrite depends on. `unmarked`: no caller said at which retention real requests write. */
export interface Rewriting {
  price: Price | null
  offers: readonly RetentionOffer[]
  unmarked: boolean
}

/**
 * What a real request would pay for a rewrite, in nano-dollars, at its own retention and not at ours: the one seen in a usage,
 * or the one that callers said. Where it is unknown, the cheapest offer counts, so that no saving is overstated. Null: the
 * price is unknown. `idleMs`: time since the last use, after which a longer-lived head may be gone too.
 */
export function rewriteNanos(
  tokens: number,
  { retention, realWrites, longer }: Pick<PrefixState, 'retention' | 'realWrites' | 'longer'>,
  { price, offers, unmarked }: Rewriting,
  idleMs = 0,
): number | null {
  if (price === null || retention === null) return null
  const ours = coldNanos(tokens, longer, price, grantedRetention(retention), idleMs)
  if (ours === null) return null
  const realRequests = realWrites === undefined ? (unmarked ? offers.map(({ name }) => name) : []) : [realWrites]
  return Math.min(ours, ...realRequests.map((name) => writeNanos(tokens, 0, price, name) ?? ours))
}

/** Enters a real request in a state under construction: opens the next gap and credits what keep-alives saved in the last one. */
export function creditUse(
  state: PrefixState,
  use: { at: number; hit: boolean; readTokens: number },
  rewriting: Rewriting,
  now: number,
): SavingRow | null {
  const { at, hit, readTokens } = use
  const { retention } = state
  const tokens = Math.min(readTokens, state.measuredTokens ?? readTokens)
  const idleMs = state.gap.fromAt === null ? 0 : at - state.gap.fromAt
  const nanos = hit ? savedNanos(tokens, rewriting.price, rewriteNanos(tokens, state, rewriting, idleMs)) : null
  const { gap, saving } = gapEnded(state.gap, { at, hit, nanos }, retention === null ? 0 : unaidedMs(retention))
  state.gap = gap
  if (saving === null) return null
  const sign = saving.kind === 'credited' ? 1 : -1
  state.credits += sign
  if (saving.nanos === null) state.unpricedSavings += sign
  else {
    state.savedNanos += sign * saving.nanos
    state.loss = lossAfter(state.loss, -sign * saving.nanos, at)
  }
  const why =
    saving.kind === 'credited'
      ? `read ${Math.round(idleMs / 1_000)} s after the entry was last used or written, when only keep-alives still kept it`
      : `a late report shows that real requests kept the entry until ${new Date(saving.at).toISOString()}, so keep-alives saved nothing`
  // Rows are in the order of time, so a revoked saving has the time of its report.
  return {
    at: saving.kind === 'credited' ? saving.at : now,
    type: 'saving',
    kind: saving.kind,
    nanos: saving.nanos,
    why,
  }
}
