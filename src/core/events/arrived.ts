import type { Lifetime } from '../../contract/lifetime.ts'
import { ttlAfter } from '../cache/ttl.ts'
import { retentionRows } from './retention-changed.ts'
import { applyRealRequest } from './real-request.ts'
import type { ArrivalFacts } from './real-request.ts'
import type { HistoryRow } from '../prefix/history.ts'
import { isForgiven, lossLimit } from '../ledger/stop-loss.ts'
import { SWEEP_HORIZON_MS } from '../time/schedule.ts'
import { MINUTE_MS } from '../time/time.ts'
import type { Price, RetentionOffer } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import type { Finding } from '../prefix/parts.ts'
import { kindAfter } from '../ledger/request-counts.ts'
import type { CountedRequest } from '../ledger/request-counts.ts'
import { isOneShot } from '../prefix/lifetime.ts'
import type { Served } from '../prefix/served-model.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import type { KeptDifference } from '../prompt/first-difference.ts'
import { stopReasonIs } from '../prefix/stop-reasons.ts'
import type { StopReason } from '../prefix/stop-reasons.ts'

/** A real request as reported: start (epoch ms), usage, and time to first token in ms. */
export interface Arrival {
  startedAt: number
  usage: Usage
  ttftMs: number | null
  /** Its body begins with the registered bytes, or is a changed form of them; absent: no body was given. */
  bytes?: 'same' | 'other'
  /** Where its body leaves the registered bytes. */
  first?: KeptDifference
  /** It could not read the entry, whatever became of that: no marker of its body reaches back so far, or another server answered it. */
  outOfReach?: true
  /** Whether its body refers to a managed cache; absent: no body was given. */
  refers?: boolean
  /** It read the managed cache that the planner keeps the prefix in, and so neither read nor renewed the provider's own. */
  handle?: true
  /** How long its session lives, where its caller says it. */
  lifetime?: Lifetime
  /** Its client sent it again after a failure: it is evidence, and no new demand. */
  again?: true
  /** The model that answered it, where its answer names one. */
  served?: Served
  /** The upstream that answered, where a router says it. */
  upstream?: string
  /** Names of the retention that its caller asked for, and that its body carried at the end of the prefix; null: it carried none. */
  asked?: string
  sent?: string | null
}

/** What is known of the model and the prefix when a report arrives. */
export interface ReportFacts {
  offers: readonly RetentionOffer[]
  /** Prices what the requests saved; absent or null: a saving is counted without a price. */
  price?: Price | null
  /** True where the planner chooses the retention, and follows the one that real requests write at. */
  open?: boolean
  /** True where no caller stated the retention; as `open` where absent. */
  unmarked?: boolean
  /** The estimated tokens of the prefix, and the block size of the cache. */
  size?: ArrivalFacts['size']
}

/**
 * Applies the real requests of one report, in the order of their starts. They renew the entry, cancel what was planned before, and
 * start resting plans again. No request began before `earliestAt`.
 */
export function applyArrivals(
  before: PrefixState,
  arrivals: readonly Arrival[],
  now: number,
  earliestAt: number,
  { offers, price = null, open = false, unmarked = open, size = {} }: ReportFacts,
): Transition & { counted: CountedRequest[] } {
  const counted: CountedRequest[] = []
  if (arrivals.length === 0) return { state: before, rows: [], counted }
  let state: PrefixState = before
  const rows: HistoryRow[] = []
  const findings: Finding[] = []
  let used = false
  const sorted = arrivals.length === 1 ? arrivals : arrivals.toSorted((a, b) => a.startedAt - b.startedAt)
  for (const arrival of sorted) {
    const { startedAt, asked: _asked, sent: _sent, ...request } = arrival
    const at = Math.min(now, Math.max(earliestAt, startedAt))
    const after = applyRealRequest(state, { ...request, at }, { offers, price, open, unmarked, now, size })
    const kind = kindAfter(state.tally, after.state.tally)
    if (kind !== null) counted.push({ at, kind, usage: request.usage })
    state = after.used ? withTtl(state, after, { ...arrival, startedAt: at }, offers) : after.state
    used ||= after.used
    rows.push(...after.rows)
    findings.push(...(after.findings ?? []))
  }
  if (!used) return { state, rows, counted }
  state = { ...state, generation: before.generation + 1, probesSinceArrival: 0 }
  rows.push(...retentionRows(before, state, now))
  const resumed = resumeStopped(state, price, now)
  return {
    state: resumed.state,
    rows: [...rows, ...resumed.rows, ...cancelRows(before, state, now)],
    findings,
    counted,
  }
}

/** What a request that uses the prefix shows of lifetimes. Those of another model, or of a managed cache, are of another entry. */
function withTtl(
  { ttl: before, measuredTokens }: PrefixState,
  { state, findings = [] }: Transition,
  { startedAt: at, usage, asked, sent, served, handle }: Arrival,
  offers: readonly RetentionOffer[],
): PrefixState {
  if (typeof served === 'string' || handle === true) return state
  const told = { ...(asked === undefined ? {} : { asked }), ...(sent === undefined ? {} : { sent }) }
  const ttl = ttlAfter(before, { by: 'requests', at, usage, ...told, measuredTokens, findings }, offers)
  return ttl === undefined || ttl === before ? state : { ...state, ttl }
}

/** Starts a plan again whose stop a real request ends. */
function resumeStopped(state: PrefixState, price: Price | null, now: number): Transition {
  const { stopped } = state
  if (stopped === null || !isEndedByArrival(stopped.reason, state, price, now)) return { state, rows: [] }
  const why = `a real request arrived; the plan continues (it had stopped: ${stopped.reason})`
  return {
    state: { ...state, stopped: null, silentInRow: 0 },
    rows: [{ at: now, type: 'decision', decision: 'resume', why }],
  }
}

function isEndedByArrival(reason: StopReason, state: PrefixState, price: Price | null, now: number): boolean {
  if (reason === 'uncacheable') return state.verdict === 'warm'
  if (reason === 'losing_money') return hasFaded(state, price, now)
  // The last requests of a session may be reported only after its end was.
  if (reason === 'session_over' && state.signal?.kind === 'end') return false
  if (reason === 'one_shot' && isOneShot(state)) return false
  return stopReasonIs(reason, 'endedByArrival')
}

function hasFaded({ loss, retention, measuredTokens }: PrefixState, price: Price | null, now: number): boolean {
  const limit = retention === null || measuredTokens === null ? null : lossLimit(measuredTokens, retention, price)
  return isForgiven(loss, limit, now)
}

/** The history row for a probe that real requests made needless; only a probe that a sweep may already have claimed gets one. */
function cancelRows(before: PrefixState, after: PrefixState, now: number): HistoryRow[] {
  const isClaimable = before.nextAt !== null && before.nextAt <= now + SWEEP_HORIZON_MS
  if (!isClaimable || (after.anchorAt ?? 0) <= (before.anchorAt ?? 0)) return []
  const why = 'a real request renewed the entry, so the probe that was due is not sent'
  return [{ at: now, type: 'decision', decision: 'cancel', why }]
}

/** Real requests are coalesced into one history row for this long. */
const TALLY_MS = MINUTE_MS

/** Writes the coalesced real requests as a history row: once a minute, or at once (`force`) when another row follows them. */
export function flushTally(before: PrefixState, now: number, force: boolean): Transition {
  const { tally } = before
  if (tally === null || (!force && now - tally.firstAt < TALLY_MS)) return { state: before, rows: [] }
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
