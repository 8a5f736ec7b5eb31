import {
  driftWhy,
  endsByReads,
  isSuspected,
  REQUESTS_TO_TELL,
  suspicionWhy,
  tokensOf,
  wasThere,
} from '../cache/drift.ts'
import type { Fit, Standing } from '../cache/drift.ts'
import { ownAnchorAt } from '../cache/longer-prefix.ts'
import type { Usage } from '../model/usage.ts'
import type { Drift } from '../prefix/parts.ts'
import type { ReceiptKind } from '../prefix/receipt.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import type { KeptDifference } from '../prompt/first-difference.ts'
import type { HistoryRow } from '../prefix/history.ts'

/** Where both forms are in use, as with two agents that resemble each other, only a longer run shows that one of them ended. */
const REQUESTS_OF_MANY = 30
const TURNS_OF_MANY = 3

/** One real request, as it counts for the drift of a prefix. */
export interface Judged {
  at: number
  usage: Usage
  standing: Standing
  fit: Fit
  /** See `Sighting`. */
  bytes?: 'same' | 'other'
  first?: KeptDifference
}

function begun(at: number): Drift {
  return {
    sinceAt: at,
    lastAt: at,
    requests: 0,
    missesInRow: 0,
    othersInRow: 0,
    matchesInRow: 0,
    tokens: null,
    reads: 0,
  }
}

/** Enters one real request into the drift of its prefix. Nothing else of the state changes, but for hits that are hits after all. */
export function applyToDrift(before: PrefixState, request: Judged): Transition {
  if (request.standing === 'own') return ownRequest(before, request)
  const { at, usage, standing, first } = request
  const known = before.drift ?? begun(at)
  // Between the requests of a run there is none with the registered bytes: the run begins anew after one.
  const isAnew = known.shown === undefined && known.othersInRow === 0 && !isSuspected(before, at)
  const drift: Drift = isAnew
    ? { ...begun(at), ...(known.turns === undefined ? {} : { turns: known.turns }) }
    : { ...known }
  drift.requests += 1
  drift.lastAt = Math.max(drift.lastAt, at)
  if (first !== undefined) drift.first = first
  if (standing === 'other') return otherRequest(before, drift, request)
  if (request.fit === 'agrees') return reading(before, drift, at)
  drift.matchesInRow = 0
  if (tokensOf(usage) > 0) drift.tokens = tokensOf(usage)
  // Usage without cache counts is no miss.
  const isSilent = usage.cacheReadTokens === null && usage.cacheWriteTokens === null
  if (!isSilent && request.fit === 'open') drift.missesInRow += 1
  if (drift.shown !== undefined) return { state: { ...before, drift }, rows: [] }
  const isFirst = drift.missedAt === undefined
  drift.missedAt = Math.max(drift.missedAt ?? 0, at)
  if (wasThere(before, at)) return shown(before, drift, at, 'probe')
  const row: HistoryRow = { at, type: 'decision', decision: 'evicted_or_changed', why: suspicionWhy(drift) }
  return { state: { ...before, drift }, rows: isFirst ? [row] : [] }
}

/** A request of other bytes or another size: several in a row show that requests have changed. */
function otherRequest(before: PrefixState, drift: Drift, { at, usage, bytes }: Judged): Transition {
  drift.othersInRow += 1
  drift.matchesInRow = 0
  if (bytes === undefined) drift.tokens = tokensOf(usage)
  const enough = (drift.turns ?? 0) < TURNS_OF_MANY ? REQUESTS_TO_TELL : REQUESTS_OF_MANY
  if (drift.shown !== undefined || drift.othersInRow < enough) return { state: { ...before, drift }, rows: [] }
  return shown(before, drift, at, bytes === undefined ? 'size' : 'bytes')
}

/** A read of the right size while a drift is shown or suspected. Drifted requests of that size read what they wrote themselves. */
function reading(before: PrefixState, drift: Drift, at: number): Transition {
  drift.readAt = Math.max(drift.readAt ?? 0, at)
  if (drift.shown === undefined) {
    drift.reads += 1
    drift.missesInRow = 0
  } else if (endsByReads(drift)) {
    drift.requests -= 1
    drift.matchesInRow += 1
    if (drift.matchesInRow >= REQUESTS_TO_TELL) return ended(before, drift, at)
  } else drift.missesInRow = 0
  return { state: { ...before, drift }, rows: [] }
}

/** A request that carries the prefix, or that nothing speaks against. */
function ownRequest(before: PrefixState, { at, usage, fit, bytes }: Judged): Transition {
  const { drift } = before
  if (drift === undefined) return { state: before, rows: [] }
  if (drift.shown !== undefined) {
    const matchesInRow = drift.matchesInRow + 1
    // Without a body the counts of this one prove it.
    if (bytes === undefined || matchesInRow >= REQUESTS_TO_TELL) return ended(before, drift, at)
    return { state: { ...before, drift: { ...drift, matchesInRow } }, rows: [] }
  }
  const isProof = fit === 'agrees' || (bytes === 'same' && (usage.cacheWriteTokens ?? 0) > 0)
  // A request that proves nothing ends no run; without a body none ends a suspicion.
  const isOpen = isSuspected(before, at) ? !isProof || bytes === undefined : !isProof && drift.othersInRow > 0
  if (isOpen) return { state: before, rows: [] }
  return { state: withoutSuspicion(before, isProof && drift.othersInRow > 0), rows: [] }
}

/** The suspicion is over and no drift was shown. Reads that waited for that are hits. `turned`: other requests came before this one. */
function withoutSuspicion(before: PrefixState, turned = false): PrefixState {
  const { drift, ...rest } = before
  if (drift === undefined) return before
  const turns = (drift.turns ?? 0) + (turned ? 1 : 0)
  const hits = before.hits + drift.reads
  return turns === 0 ? { ...rest, hits } : { ...rest, hits, drift: { ...begun(drift.lastAt), turns } }
}

function shown(before: PrefixState, drift: Drift, at: number, by: 'bytes' | 'size' | 'probe'): Transition {
  const { missedAt: _suspected, ...rest } = drift
  const after: Drift = { ...rest, shown: { at, by }, matchesInRow: 0, reads: 0 }
  const row: HistoryRow = { at, type: 'decision', decision: 'drifted', why: driftWhy(after, before.measuredTokens) }
  return { state: { ...before, drift: after }, rows: [row] }
}

function ended(before: PrefixState, { turns }: Drift, at: number): Transition {
  const { drift: _ended, ...rest } = before
  const row: HistoryRow = { at, type: 'decision', decision: 'drift_ended', why: 'real requests begin with it again' }
  return { state: turns === undefined ? rest : { ...rest, drift: { ...begun(at), turns } }, rows: [row] }
}

/**
 * Enters an answer to one of our calls, sent at `at`, into the drift of the prefix. `before`: the state before the answer; `state`: after
 * it.
 */
export function answerToDrift(before: PrefixState, state: PrefixState, kind: ReceiptKind, at: number): Transition {
  const { drift } = before
  if (drift === undefined) return { state, rows: [] }
  const isGone = kind === 'cold' || kind === 'written'
  if (drift.shown === undefined) {
    if (drift.missedAt === undefined || drift.missedAt >= at) return { state, rows: [] }
    if (kind === 'full') return shown(state, drift, at, 'probe')
    return { state: isGone ? withoutSuspicion(state) : state, rows: [] }
  }
  // Our own calls had let it lapse, so that requests kept it.
  const { retention } = before
  const ownAt = ownAnchorAt(before)
  if (kind !== 'full' || retention === null || retention.assumed || ownAt === null || drift.readAt === undefined)
    return { state, rows: [] }
  const isKept = at - ownAt >= retention.ttlMs && at > drift.readAt && at - drift.readAt < retention.ttlMs
  return isKept ? ended(state, drift, at) : { state, rows: [] }
}
