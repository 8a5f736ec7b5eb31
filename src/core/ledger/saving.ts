import { readNanos } from '../model/price.ts'
import type { Price } from '../model/facts.ts'
import type { OpenGap } from '../prefix/parts.ts'

/** A real request that used the prefix. */
export interface Use {
  at: number
  /** Whether its usage showed that the prefix was read. */
  hit: boolean
  /** What the hit saved, from `savedNanos`; null: the price is unknown. */
  nanos: number | null
}

/** One entry of savings. `revoked` cancels an earlier `credited` one: `nanos` is the same figure, to be subtracted. */
export interface Saving {
  kind: 'credited' | 'revoked'
  at: number
  /** Null: there was a saving of unknown price, which no sum contains. */
  nanos: number | null
}

/** What a hit saved, in nano-dollars: the rewrite of a miss less the read. Null: a price is unknown. */
export function savedNanos(tokens: number, price: Price | null, rewrite: number | null): number | null {
  return price === null || rewrite === null ? null : rewrite - readNanos(tokens, 0, price)
}

/** Starts a gap at a requested write or a real request; without keep-alives the entry lives `ttlMs` from there. */
export function gapOpened(gap: OpenGap, at: number, ttlMs: number): OpenGap {
  if (gap.fromAt !== null && at <= gap.fromAt) return gap
  return { ...gap, fromAt: at, ttlMs, heldUntil: null }
}

/** Extends how long keep-alives keep the entry. A keep-alive is no traffic, so the gap goes on. */
export function gapHeld(gap: OpenGap, at: number, ttlMs: number): OpenGap {
  if (gap.fromAt === null || at <= gap.fromAt) return gap
  return { ...gap, heldUntil: Math.max(gap.heldUntil ?? 0, at + ttlMs) }
}

/**
 * Ends a gap with a real request. A saving is credited only if the request read the prefix after the entry would have lapsed
 * without keep-alives, and while a keep-alive of this gap kept it. A late report divides a gap that was already judged: if the
 * later request would have hit anyway, its saving is revoked. One gap earns at most one saving.
 */
export function gapEnded(gap: OpenGap, use: Use, ttlMs: number): { gap: OpenGap; saving: Saving | null } {
  if (gap.fromAt === null) return { gap: gapOpened(gap, use.at, ttlMs), saving: null }
  if (use.at <= gap.fromAt) return lateUse(gap, use)
  const next = { ...gapOpened(gap, use.at, ttlMs), credited: null }
  const isPastTtl = use.at - gap.fromAt > gap.ttlMs
  if (!use.hit || !isPastTtl || gap.heldUntil === null || use.at > gap.heldUntil) return { gap: next, saving: null }
  const { at, nanos } = use
  return {
    gap: { ...next, credited: { fromAt: gap.fromAt, at, entryAt: at, ttlMs: gap.ttlMs, nanos } },
    saving: { kind: 'credited', at, nanos },
  }
}

function lateUse(gap: OpenGap, use: Use): { gap: OpenGap; saving: Saving | null } {
  const { credited } = gap
  if (credited === null || use.at <= credited.fromAt || use.at >= credited.at) return { gap, saving: null }
  const isUnaided = use.at - credited.fromAt <= credited.ttlMs || !use.hit
  if (!isUnaided || credited.at - use.at > credited.ttlMs) {
    // The gap keeps its one saving, for the first request that needed a keep-alive.
    const narrowed = isUnaided ? { fromAt: use.at } : { at: use.at }
    return { gap: { ...gap, credited: { ...credited, ...narrowed } }, saving: null }
  }
  return { gap: { ...gap, credited: null }, saving: { kind: 'revoked', at: credited.entryAt, nanos: credited.nanos } }
}
