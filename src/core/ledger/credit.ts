import type { SavingRow } from '../prefix/history.ts'
import { grantedRetention } from '../cache/retention.ts'
import { writeNanos } from '../model/price.ts'
import { gapEnded, gapHeld, gapOpened, savedNanos } from './saving.ts'
import type { PrefixState } from '../prefix/state.ts'
import { lossAfter } from './stop-loss.ts'
import type { Price, RetentionOffer } from '../model/facts.ts'
import type { ReceiptKind, Purpose } from '../prefix/receipt.ts'
import type { LearnedRetention, OpenGap } from '../prefix/parts.ts'

/**
 * How long traffic alone is taken to carry an entry. Where the provider states no figure it is the longest that is believed
 * possible: a hit before that may have needed no keep-alive, and nobody is told of a saving that may be none. Where its word
 * was found not to be kept, it is the time after which an entry was found gone.
 */
function naturalMs(retention: LearnedRetention): number {
  const { assumed, ttlMs, maxTtlMs, statedTtlMs, shortestMissGapMs } = retention
  if (assumed) return maxTtlMs
  return statedTtlMs === undefined ? ttlMs : Math.max(ttlMs, shortestMissGapMs ?? statedTtlMs)
}

/** The idle gap after one of our calls was answered, by the retention in force once its answer was read. */
export function gapAfterAnswer(
  { gap, retention }: Pick<PrefixState, 'gap' | 'retention'>,
  answer: { at: number; kind: ReceiptKind; purpose: Purpose; wrote: boolean },
): OpenGap {
  const { at, kind, purpose, wrote } = answer
  if (retention === null || kind === 'uncacheable') return gap
  const read = kind === 'full' || kind === 'partial'
  // A write that was asked for opens a gap even where the answer does not say that it wrote.
  if (purpose === 'write' && !read) return gapOpened(gap, at, naturalMs(retention))
  if (!read && !wrote) return gap
  if (gap.fromAt === null) return gapOpened(gap, at, naturalMs(retention))
  return retention.kind === 'fixed' && !wrote ? gap : gapHeld(gap, at, retention.ttlMs)
}

/** Whose price a rewrite has: what is offered, and whether nobody said what real requests write. */
export interface Rewriting {
  price: Price | null
  offers: readonly RetentionOffer[]
  unmarked: boolean
}

/**
 * What a real request would pay to write it that found nothing: by its own marker, and not by ours. That is what was seen of one, or what
 * its callers said; where nobody knows it, the cheapest that it might be, and no saving is told that may be none. Null: no price.
 */
export function rewriteNanos(
  tokens: number,
  { retention, realWrites }: Pick<PrefixState, 'retention' | 'realWrites'>,
  { price, offers, unmarked }: Rewriting,
): number | null {
  if (price === null || retention === null) return null
  const ours = writeNanos(tokens, 0, price, grantedRetention(retention))
  if (ours === null) return null
  const theirs = realWrites === undefined ? (unmarked ? offers.map(({ name }) => name) : []) : [realWrites]
  return Math.min(ours, ...theirs.map((name) => writeNanos(tokens, 0, price, name) ?? ours))
}

/** Books a real request in a state that is being made: the next gap, and what the last one's keep-alives saved. */
export function creditUse(
  state: PrefixState,
  use: { at: number; hit: boolean; readTokens: number },
  rewriting: Rewriting,
  now: number,
): SavingRow | null {
  const { at, hit, readTokens } = use
  const { retention } = state
  const tokens = Math.min(readTokens, state.measuredTokens ?? readTokens)
  const nanos = hit ? savedNanos(tokens, rewriting.price, rewriteNanos(tokens, state, rewriting)) : null
  const idleMs = state.gap.fromAt === null ? 0 : at - state.gap.fromAt
  const { gap, saving } = gapEnded(state.gap, { at, hit, nanos }, retention === null ? 0 : naturalMs(retention))
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
      ? `read ${Math.round(idleMs / 1_000)} s after the entry was last used or written, when only keep-alives still held it`
      : `a request that was reported late shows that traffic alone carried the entry to ${new Date(saving.at).toISOString()}: the saving of then was none`
  // Rows are in the order of time: what is taken back is so now.
  return {
    at: saving.kind === 'credited' ? saving.at : now,
    type: 'saving',
    kind: saving.kind,
    nanos: saving.nanos,
    why,
  }
}
