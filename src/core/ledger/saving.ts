import { readNanos } from '../model/price.ts'
import type { Price } from '../model/facts.ts'
import type { OpenGap } from '../prefix/parts.ts'

/** A real request that used the prefix. */
export interface Use {
  at: number
  /** Whether its usage showed that the prefix was read. */
  hit: boolean
  /** What the hit saved, from `savedNanos`; null: the price is not known. */
  nanos: number | null
}

/** One saving entry. `revoked` takes back what `credited` gave; `nanos` is then the same figure, to be subtracted. */
export interface Saving {
  kind: 'credited' | 'revoked'
  at: number
  /** Null: there was a saving, and nobody knows how much. It is in no sum. */
  nanos: number | null
}

/** What a hit is worth where a miss would have paid `rewrite`: that without the read it paid instead. Null: price unknown. */
export function savedNanos(tokens: number, price: Price | null, rewrite: number | null): number | null {
  return price === null || rewrite === null ? null : rewrite - readNanos(tokens, 0, price)
}

/** A write that was asked for starts a gap as a real request does: from here traffic alone would have carried the entry. */
export function gapOpened(gap: OpenGap, at: number, ttlMs: number): OpenGap {
  if (gap.fromAt !== null && at <= gap.fromAt) return gap
  return { ...gap, fromAt: at, ttlMs, heldUntil: null }
}

/** A keep-alive left the entry standing. It is no traffic: the gap goes on, only what holds the entry is now ours. */
export function gapHeld(gap: OpenGap, at: number, ttlMs: number): OpenGap {
  if (gap.fromAt === null || at <= gap.fromAt) return gap
  return { ...gap, heldUntil: Math.max(gap.heldUntil ?? 0, at + ttlMs) }
}

/**
 * A real request came. It is credited only if it read the prefix later than traffic alone would have carried it, and within
 * what a keep-alive of this very gap did. A request that is reported late divides a gap that was already judged: where
 * the later one would then have hit anyway, its saving is taken back; a second saving is never given for one gap.
 */
export function gapEnded(gap: OpenGap, use: Use, ttlMs: number): { gap: OpenGap; saving: Saving | null } {
  if (gap.fromAt === null) return { gap: gapOpened(gap, use.at, ttlMs), saving: null }
  if (use.at <= gap.fromAt) return lateUse(gap, use)
  const next = { ...gapOpened(gap, use.at, ttlMs), credited: null }
  const beyond = use.at - gap.fromAt > gap.ttlMs
  if (!use.hit || !beyond || gap.heldUntil === null || use.at > gap.heldUntil) return { gap: next, saving: null }
  const { at, nanos } = use
  return {
    gap: { ...next, credited: { fromAt: gap.fromAt, at, entryAt: at, ttlMs: gap.ttlMs, nanos } },
    saving: { kind: 'credited', at, nanos },
  }
}

function lateUse(gap: OpenGap, use: Use): { gap: OpenGap; saving: Saving | null } {
  const { credited } = gap
  if (credited === null || use.at <= credited.fromAt || use.at >= credited.at) return { gap, saving: null }
  const natural = use.at - credited.fromAt <= credited.ttlMs || !use.hit
  if (!natural || credited.at - use.at > credited.ttlMs) {
    // One saving for one gap: it stands, for the first request that needed a keep-alive.
    const narrowed = natural ? { fromAt: use.at } : { at: use.at }
    return { gap: { ...gap, credited: { ...credited, ...narrowed } }, saving: null }
  }
  return { gap: { ...gap, credited: null }, saving: { kind: 'revoked', at: credited.entryAt, nanos: credited.nanos } }
}
