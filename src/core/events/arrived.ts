import { creditUse } from '../ledger/credit.ts'
import { applyCacheRead, retentionRows } from './cache-read.ts'
import type { HistoryRow } from '../prefix/history.ts'
import { ownAnchorAt, REFUTED, refutes } from '../cache/longer-prefix.ts'
import { counted } from '../demand/request-rate.ts'
import { goneAfter, granted, writtenInstead, writtenName } from '../cache/retention.ts'
import { SWEEP_HORIZON_MS } from '../time/schedule.ts'
import { signalAfter } from '../prefix/signal.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { ended } from '../ledger/holdout-gap.ts'
import { isForgiven, lossLimit } from '../ledger/stop-loss.ts'
import type { Price, RetentionOffer } from '../model/facts.ts'
import { learnArrival } from '../demand/idle-gaps.ts'
import type { Usage } from '../model/usage.ts'
import type { LearnedRetention } from '../prefix/parts.ts'
import { stopReasonIs } from '../prefix/stop-reasons.ts'

/** Real requests that stood behind one observation call. */
export interface Arrival {
  startedAt: number
  usage: Usage
  ttftMs: number | null
}

/**
 * Real requests came. They renew the clock, cancel what was planned before, and start resting plans again. `price` is for
 * what they saved; without it a saving is counted and has no price. `open`: the retention is the planner's choice, which gives way to
 * what real requests write at. `unmarked`: nobody said what that is.
 */
export function applyArrivals(
  before: PrefixState,
  arrivals: readonly Arrival[],
  now: number,
  earliestAt: number,
  offers: readonly RetentionOffer[],
  price: Price | null = null,
  open = false,
  unmarked = open,
): Transition {
  if (arrivals.length === 0) return { state: before, rows: [] }
  const state: PrefixState = { ...before, generation: before.generation + 1, probesSinceArrival: 0 }
  const tally =
    before.tally === null
      ? { firstAt: now, lastAt: 0, count: 0, hits: 0, misses: 0, cachedTokens: 0 }
      : { ...before.tally }
  const rows: HistoryRow[] = []
  const sorted = arrivals.length === 1 ? arrivals : arrivals.toSorted((a, b) => a.startedAt - b.startedAt)
  for (const arrival of sorted) {
    const at = Math.min(now, Math.max(earliestAt, arrival.startedAt))
    const { cacheReadTokens, cacheWriteTokens } = arrival.usage
    const read = cacheReadTokens ?? 0
    const enough = read > 0 && (state.measuredTokens === null || read >= state.measuredTokens * 0.5)
    tally.count += 1
    tally.firstAt = Math.min(tally.firstAt, at)
    tally.lastAt = Math.max(tally.lastAt, at)
    if (state.trial !== undefined && at > state.trial.gapAt) {
      const { row } = ended(state.trial, enough, at)
      if (row !== null) rows.push(row)
      delete state.trial
    }
    state.requests = counted(state.requests ?? null, at)
    const gaps = learnArrival(state.gaps ?? [], state.lastArrivalAt, at)
    if (gaps.length > 0) state.gaps = gaps
    state.lastArrivalAt = Math.max(state.lastArrivalAt ?? 0, at)
    if (state.signal) state.signal = signalAfter(state, at)
    if (enough) {
      tally.hits += 1
      tally.cachedTokens += read
      state.hits += 1
      if (state.lastHit === null || at >= state.lastHit.at)
        state.lastHit = { at, cachedTokens: read, ttftMs: arrival.ttftMs }
      if (state.anchorAt === null || at > state.anchorAt)
        applyCacheRead(
          state,
          { ...state },
          at,
          state.anchorAt === null ? null : at - state.anchorAt,
          state.measuredTokens ?? read,
          offers,
        )
    } else if (cacheReadTokens !== null || cacheWriteTokens !== null) {
      tally.misses += 1
      state.misses += 1
      const wroteAt = writtenName(state.measuredTokens, arrival.usage, offers)
      if (wroteAt !== null) state.realWrites = wroteAt
      // A real request that wrote at least the prefix made it warm itself.
      const wrote = cacheWriteTokens ?? 0
      if (
        wrote > 0 &&
        (state.measuredTokens === null || wrote >= state.measuredTokens * 0.5) &&
        at > (state.anchorAt ?? 0)
      ) {
        const instead = open ? writtenInstead(state, arrival.usage, offers) : null
        state.retention = instead ?? wroteItself(state, arrival.usage, at, offers)
        if (instead !== null) state.asWritten = true
        if (state.inside !== undefined && refutes(state, at)) {
          state.inside = { ...state.inside, refuted: true }
          rows.push({ at, type: 'decision', decision: 'inside_refuted', why: REFUTED })
        }
        Object.assign(state, { verdict: 'warm', anchorAt: at, readZeroInRow: 0, readZeroGapMs: null })
      }
    }
    const saving = creditUse(state, { at, hit: enough, readTokens: read }, { price, offers, unmarked }, now)
    if (saving !== null) rows.push(saving)
  }
  state.tally = tally
  rows.push(...retentionRows(before, state, now))
  const proved = state.stopped?.reason === 'uncacheable' && state.verdict === 'warm'
  const forgiven = state.stopped?.reason === 'losing_money' && hasFaded(state, price, now)
  // The last requests of a session may be reported only after its end was.
  const over = state.stopped?.reason === 'session_over' && state.signal?.kind === 'end'
  if (state.stopped !== null && !over && (proved || forgiven || stopReasonIs(state.stopped.reason, 'endedByArrival'))) {
    rows.push({
      at: now,
      type: 'decision',
      decision: 'resume',
      why: `a real request arrived; the plan goes on (it had stopped: ${state.stopped.reason})`,
    })
    state.stopped = null
    state.silentInRow = 0
  }
  // Only a probe that a sweep may already have claimed is worth a row; every other is simply planned later.
  if (
    before.nextAt !== null &&
    before.nextAt <= now + SWEEP_HORIZON_MS &&
    (state.anchorAt ?? 0) > (before.anchorAt ?? 0)
  ) {
    rows.push({
      at: now,
      type: 'decision',
      decision: 'cancel',
      why: 'real traffic renewed the clock: the probe that was due is not sent',
    })
  }
  return { state, rows }
}

function hasFaded({ loss, retention, measuredTokens }: PrefixState, price: Price | null, now: number): boolean {
  const limit = retention === null || measuredTokens === null ? null : lossLimit(measuredTokens, retention, price)
  return isForgiven(loss, limit, now)
}

/** What a real request that had to write the prefix says of its retention. */
function wroteItself(
  { retention, anchorAt, inside, verdict, hits }: PrefixState,
  usage: Usage,
  at: number,
  offers: readonly RetentionOffer[],
): LearnedRetention | null {
  if (retention === null) return null
  // Only where real requests are known to read this entry: one that never could says nothing about how long it lives.
  const ownAt = ownAnchorAt({ anchorAt, ...(inside === undefined ? {} : { inside }) })
  const early = verdict === 'warm' && ownAt !== null && hits > 0 && usage.cacheReadTokens === 0
  const gone = early ? goneAfter(retention, at - ownAt, at, offers) : retention
  return granted(gone, usage, offers)?.retention ?? gone
}

/** Writes the coalesced arrivals to the history: once a minute, or when another row follows them. */
export function flushTally(before: PrefixState, now: number, force: boolean): Transition {
  const { tally } = before
  if (tally === null || (!force && now - tally.firstAt < 60_000)) return { state: before, rows: [] }
  const row: HistoryRow = {
    at: tally.lastAt,
    type: 'arrival',
    count: tally.count,
    hits: tally.hits,
    misses: tally.misses,
    cachedTokens: tally.cachedTokens,
  }
  return { state: { ...before, tally: null }, rows: [row] }
}
