import { FAILURES } from '../contract/failures.ts'
import type { FailureValue } from '../contract/failures.ts'
import { announcementsAt } from './announcement.ts'
import { creditUse, gapAfterAnswer } from './credit.ts'
import { learnArrival } from './demand.ts'
import type { HistoryRow } from './history.ts'
import { decide } from './plan.ts'
import type { Decision, PlanContext } from './plan.ts'
import { costOf } from './price.ts'
import { readReceipt } from './receipt.ts'
import { goneAfter, granted, heldFor, retentionInWords } from './retention.ts'
import { dayOf, SWEEP_HORIZON_MS } from './schedule.ts'
import { signalAfter, signalAt } from './signal.ts'
import type { LearnedRetention, PrefixState, Purpose, StopReason } from './state.ts'
import { warmUntil } from './state.ts'
import { isForgiven, lossAfter, lossLimit, NO_LOSS } from './tripwire.ts'
import type { Price, Primitive, RetentionOffer, Usage } from './types.ts'

/** What happened to a prefix, and the rows that tell it. Every function here returns new state and changes nothing. */
export interface Change {
  state: PrefixState
  rows: HistoryRow[]
}

/** An answer to one of our calls. */
export interface Answer {
  startedAt: number
  latencyMs: number
  purpose: Purpose
  primitive: Primitive
  usage: Usage
  model: string | null
}

/** Stops that a real request ends: it renewed or rewrote the entry, and it is the demand that plans wait for. */
const ENDED_BY_ARRIVAL: readonly StopReason[] = [
  'idle_timeout',
  'break_even',
  'probes_spent',
  'lapsed',
  'surprise_write',
  'budget_exhausted',
  'unverifiable',
  'session_over',
]

/** Real requests that stood behind one observation call. */
export interface Arrival {
  startedAt: number
  usage: Usage
  ttftMs: number | null
}

function spendToday(
  state: PrefixState,
  nanos: number,
  now: number,
): Pick<PrefixState, 'day' | 'spentNanos' | 'costNanos'> {
  const day = dayOf(now)
  const before = state.day === day ? state.spentNanos : 0
  return { day, spentNanos: before + nanos, costNanos: state.costNanos + nanos }
}

/** One of our calls was answered: belief, retention, counters and money follow from what the answer says. */
export function applyAnswer(before: PrefixState, answer: Answer, context: PlanContext, worst: number | null): Change {
  const { usage, startedAt, purpose } = answer
  const reading = readReceipt(usage, {
    purpose,
    writesReported: context.facts.writesReported,
    probesToSeed: context.facts.probesToSeed ?? 1,
    measuredTokens: before.measuredTokens,
    everHit: before.everHit,
    readZeroInRow: before.readZeroInRow,
  })
  const known = costOf(usage, context.facts.price, before.retention?.name ?? '')
  // An answer that does not say what it took is charged as one whose outcome is unknown, and says so.
  const costNanos = known ?? worst
  const why = known === null && worst !== null ? `${reading.why}; charged at its worst case` : reading.why
  const gapMs = before.anchorAt === null ? null : startedAt - before.anchorAt
  const state: PrefixState = {
    ...before,
    ...spendToday(before, costNanos ?? 0, startedAt),
    generation: before.generation + 1,
    lastReceipt: {
      at: startedAt,
      kind: reading.kind,
      purpose,
      primitive: answer.primitive,
      usage,
      costNanos,
      latencyMs: answer.latencyMs,
      model: answer.model,
      why,
    },
    lastFailure: null,
    failuresInRow: 0,
    unpricedCalls: before.unpricedCalls + (costNanos === null ? 1 : 0),
    probes: before.probes + 1,
    probesSinceArrival: before.probesSinceArrival + (purpose === 'keep' ? 1 : 0),
    silentInRow: usage.cacheReadTokens === null && usage.cacheWriteTokens === null ? before.silentInRow + 1 : 0,
  }
  const rows: HistoryRow[] = [
    {
      at: startedAt,
      type: 'receipt',
      kind: reading.kind,
      purpose,
      primitive: answer.primitive,
      usage,
      costNanos,
      latencyMs: answer.latencyMs,
      model: answer.model,
      why,
    },
  ]
  const read = usage.cacheReadTokens ?? 0
  const written = usage.cacheWriteTokens ?? 0
  const grant = before.retention === null ? null : granted(before.retention, usage, context.facts.retentions)
  switch (reading.kind) {
    case 'written':
      Object.assign(state, { verdict: 'warm', anchorAt: startedAt, measuredTokens: read + written, readZeroInRow: 0 })
      break
    case 'full':
    case 'partial':
      found(state, before, startedAt, gapMs, read + written, context.facts.retentions)
      if (reading.kind === 'partial' && before.measuredTokens !== null)
        state.measuredTokens = Math.max(before.measuredTokens, read + written)
      if (purpose === 'keep') state.keepHits = before.keepHits + 1
      break
    case 'cold':
      state.keepColds = before.keepColds + 1
      if (state.retention !== null && gapMs !== null)
        state.retention = goneAfter(state.retention, before.readZeroGapMs ?? gapMs, startedAt, context.facts.retentions)
      if (written > 0) {
        // The keep-alive itself wrote: there is an entry again, bought without being asked for.
        Object.assign(state, {
          verdict: 'warm',
          anchorAt: startedAt,
          measuredTokens: read + written,
          readZeroInRow: 0,
          readZeroGapMs: null,
        })
        if (context.keepWarm.plan !== 'always') {
          state.stopped = {
            reason: 'surprise_write',
            at: startedAt,
            why: `${reading.why}; it stays warm until its retention passes, and the next real request, or POST /prefixes/{id}/warm, starts the plan again`,
          }
        } else
          rows.push({
            at: startedAt,
            type: 'decision',
            decision: 'rewrite',
            why: `${reading.why}; plan always pays that one rewrite`,
          })
      } else
        Object.assign(state, {
          verdict: 'cold',
          anchorAt: startedAt,
          readZeroInRow: before.readZeroInRow + 1,
          readZeroGapMs: null,
        })
      break
    case 'uncacheable':
      Object.assign(state, { verdict: 'uncacheable', readZeroInRow: before.readZeroInRow + 1 })
      break
    case 'unknown':
      Object.assign(state, { verdict: 'unknown', anchorAt: startedAt })
      if (usage.cacheReadTokens === 0) {
        state.readZeroInRow = before.readZeroInRow + 1
        state.readZeroGapMs = before.everHit ? gapMs : null
      }
      break
  }
  // A write starts a new entry, so what it was granted holds for this one, whatever the last one did.
  if (grant !== null && written > 0) state.retention = grant.retention
  rows.push(...retentionRows(before, state, startedAt))
  state.gap = gapAfterAnswer(state, { at: startedAt, kind: reading.kind, purpose, wrote: written > 0 })
  // Only what an answer proved: a worst case that was reserved is a guard of budgets, not a loss.
  if (purpose !== 'write' && known !== null) state.loss = lossAfter(before.loss, known, startedAt)
  return { state, rows }
}

/** A read found the entry: it lives, it was renewed, and the retention held for that long. */
function found(
  state: PrefixState,
  before: PrefixState,
  at: number,
  gapMs: number | null,
  tokens: number,
  offers: readonly RetentionOffer[],
): void {
  state.verdict = 'warm'
  state.everHit = true
  state.readZeroInRow = 0
  state.readZeroGapMs = null
  state.measuredTokens = before.measuredTokens ?? tokens
  if (state.retention !== null) {
    // A read-nothing answer that is followed by a read was a lapse after all, healed by its own write.
    if (before.readZeroGapMs !== null) state.retention = goneAfter(state.retention, before.readZeroGapMs, at, offers)
    else if (gapMs !== null) state.retention = heldFor(state.retention, gapMs, at)
  }
  state.anchorAt = state.retention?.kind === 'fixed' ? before.anchorAt : Math.max(before.anchorAt ?? 0, at)
}

export interface FailedCall {
  at: number
  failure: FailureValue
  /** False: the provider surely did not take it. Null: nobody knows, so the worst case is charged. */
  accepted: false | null
  permanent: boolean
  primitiveRefused: boolean
  /** The provider refused the place that the call came from, and another one is left to be tried. */
  elsewhere?: boolean
  /** How long the provider asked us to wait, if it did. */
  retryAfterMs: number | null
  purpose: Purpose
  primitive: Primitive
  latencyMs: number
}

/** The failure as callers see it: with the wait that the provider asked for. */
function withWait({ failure, retryAfterMs }: FailedCall): FailureValue {
  if (retryAfterMs === null) return failure
  return { ...failure, detail: { ...failure.detail, retry_after_seconds: Math.ceil(retryAfterMs / 1_000) } }
}

/** One of our calls failed. An unknown outcome is charged at its worst case and stays in the history as unknown. */
export function applyFailure(before: PrefixState, call: FailedCall, worst: number | null, ladder: number): Change {
  const state: PrefixState = {
    ...before,
    generation: before.generation + 1,
    lastFailure: { at: call.at, failure: withWait(call), againAt: call.at + call.latencyMs + (call.retryAfterMs ?? 0) },
    failuresInRow: before.failuresInRow + 1,
  }
  const rows: HistoryRow[] = []
  if (call.accepted === null) {
    Object.assign(state, spendToday(before, worst ?? 0, call.at), {
      probes: before.probes + 1,
      unpricedCalls: before.unpricedCalls + (worst === null ? 1 : 0),
    })
    rows.push({
      at: call.at,
      type: 'receipt',
      kind: 'unknown',
      purpose: call.purpose,
      primitive: call.primitive,
      usage: null,
      costNanos: worst,
      latencyMs: call.latencyMs,
      model: null,
      why: `outcome unknown (${call.failure.kind}): charged at its worst case`,
    })
  }
  if (call.primitiveRefused && before.primitiveIndex + 1 < ladder) {
    state.failuresInRow = before.failuresInRow
    state.primitiveIndex = before.primitiveIndex + 1
    const why = `the provider refused ${call.primitive}; the next primitive is used from now on`
    rows.push({ at: call.at, type: 'decision', decision: 'primitive', why })
    return { state, rows }
  }
  if (call.elsewhere === true) {
    const why = 'the provider does not serve the place that the call came from; it is sent once from another region'
    rows.push({ at: call.at, type: 'decision', decision: 'egress', why })
    return { state, rows }
  }
  if (call.permanent || call.primitiveRefused || !FAILURES[call.failure.kind].retryable) {
    const why = `${call.failure.kind}: ${call.failure.message.replace(/\.$/, '')}. Waiting does not heal this; after it is mended, PATCH keep_warm or POST /prefixes/{id}/warm starts the plan again`
    const reason = call.permanent && call.failure.kind === 'provider_limited' ? 'quota_spent' : 'provider_refused'
    state.stopped = { reason, at: call.at, why }
  }
  // Its row stands also where the plan was off and so has nothing to stop.
  rows.push({ at: call.at, type: 'decision', decision: 'failed', why: `${call.failure.kind}: ${call.failure.message}` })
  return { state, rows }
}

/**
 * Real requests came. They renew the clock, cancel what was planned before, and start resting plans again. `price` is for
 * what they saved; without it a saving is counted and has no price.
 */
export function applyArrivals(
  before: PrefixState,
  arrivals: readonly Arrival[],
  now: number,
  earliestAt: number,
  offers: readonly RetentionOffer[],
  price: Price | null = null,
): Change {
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
        found(
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
      // A real request that wrote at least the prefix made it warm itself.
      const wrote = cacheWriteTokens ?? 0
      if (
        wrote > 0 &&
        (state.measuredTokens === null || wrote >= state.measuredTokens * 0.5) &&
        at > (state.anchorAt ?? 0)
      ) {
        state.retention = wroteItself(state, arrival.usage, at, offers)
        Object.assign(state, { verdict: 'warm', anchorAt: at, readZeroInRow: 0, readZeroGapMs: null })
      }
    }
    const saving = creditUse(state, { at, hit: enough, readTokens: read }, price, now)
    if (saving !== null) rows.push(saving)
  }
  state.tally = tally
  rows.push(...retentionRows(before, state, now))
  const proved = state.stopped?.reason === 'uncacheable' && state.verdict === 'warm'
  const forgiven = state.stopped?.reason === 'losing_money' && hasFaded(state, price, now)
  // The last requests of a session may be reported only after its end was.
  const over = state.stopped?.reason === 'session_over' && state.signal?.kind === 'end'
  if (state.stopped !== null && !over && (proved || forgiven || ENDED_BY_ARRIVAL.includes(state.stopped.reason))) {
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
  { retention, anchorAt, verdict, hits }: PrefixState,
  usage: Usage,
  at: number,
  offers: readonly RetentionOffer[],
): LearnedRetention | null {
  if (retention === null) return null
  // Only where real requests are known to read this entry: one that never could says nothing about how long it lives.
  const early = verdict === 'warm' && anchorAt !== null && hits > 0 && usage.cacheReadTokens === 0
  const gone = early ? goneAfter(retention, at - anchorAt, at, offers) : retention
  return granted(gone, usage, offers)?.retention ?? gone
}

/** The row that says so, where receipts made a retention shorter or longer than it was believed to be. */
function retentionRows(before: PrefixState, after: PrefixState, at: number): HistoryRow[] {
  const [was, is] = [before.retention, after.retention]
  if (was === null || is === null || was.ttlMs === is.ttlMs || is.assumed) return []
  const why =
    is.grantedName !== was.grantedName
      ? `asked for ${is.name}, the answer says that ${is.grantedName ?? is.name} was written: it is believed to live ${is.ttlMs / 60_000} min`
      : is.ttlMs < was.ttlMs
        ? `entries were gone before their time, twice in a row: scheduled by ${retentionInWords(is)} from now on`
        : `entries lived longer than was believed: scheduled by ${retentionInWords(is)} from now on`
  return [{ at, type: 'decision', decision: 'retention', why }]
}

/** Writes the coalesced arrivals to the history: once a minute, or when another row follows them. */
export function flushTally(before: PrefixState, now: number, force: boolean): Change {
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

/**
 * Asks the plan what comes next and writes it into the state: the next due time, or why there is none. A lapse is
 * carried out here, so that it is a decision with a row and never an accident.
 */
export function reschedule(before: PrefixState, context: PlanContext, now: number): Change & { decision: Decision } {
  let state = withoutPast(before, now)
  const rows: HistoryRow[] = []
  for (;;) {
    const decision = decide(state, context, now)
    const signature = signatureOf(decision)
    if (decision.do === 'lapse') {
      rows.push({ at: now, type: 'decision', decision: 'lapse', why: decision.why })
      state = { ...state, verdict: 'cold', why: decision.why, decided: 'lapse', failuresInRow: 0, lastFailure: null }
      continue
    }
    if (signature !== state.decided && !signature.startsWith('due'))
      rows.push({ at: now, type: 'decision', decision: signature, why: decision.why })
    if (
      decision.do === 'send' &&
      decision.purpose === 'write' &&
      state.verdict === 'cold' &&
      state.decided !== signature
    ) {
      rows.push({ at: now, type: 'decision', decision: 'rewrite', why: decision.why })
    }
    state = { ...state, why: decision.why, decided: signature }
    if ((decision.do === 'wait' || decision.do === 'send') && decision.rest !== undefined && state.stopped === null) {
      const { reason, why } = decision.rest
      rows.unshift({ at: now, type: 'decision', decision: `stop:${reason}`, why })
      state.stopped = { reason, at: now, why }
    }
    if (decision.do === 'stop') {
      state.stopped ??= { reason: decision.reason, at: now, why: decision.why }
      state.nextAt = null
    } else state.nextAt = decision.do === 'wait' ? Math.max(decision.untilAt, now) : now
    return { state, rows, decision }
  }
}

/** Without what has passed of the things that callers foretold. */
function withoutPast(state: PrefixState, now: number): PrefixState {
  const announced = state.announcements?.[0]
  if ((announced === undefined || announced.at > now) && signalAt(state, now) === (state.signal ?? null)) return state
  return { ...state, announcements: announcementsAt(state, now), signal: signalAt(state, now) }
}

function signatureOf(decision: Decision): string {
  if (decision.do === 'stop') return `stop:${decision.reason}`
  if (decision.do === 'wait') return decision.code === 'hold' ? 'hold' : `wait:${decision.code}`
  return decision.do === 'send' ? `due:${decision.purpose}` : decision.do
}

/** A person or a caller asked for it: whatever had stopped the plan is forgotten, and evidence against caching is doubted once. */
export function restart(before: PrefixState, now: number): PrefixState {
  const { signal = null } = before
  return {
    ...before,
    ...(signal?.kind === 'end' ? { signal: signalAfter(before, now) } : {}),
    generation: before.generation + 1,
    stopped: null,
    plannedAt: now,
    probesSinceArrival: 0,
    failuresInRow: 0,
    lastFailure: null,
    silentInRow: 0,
    loss: NO_LOSS,
    verdict: before.verdict === 'uncacheable' ? 'none' : before.verdict,
    readZeroInRow: before.verdict === 'uncacheable' ? 0 : before.readZeroInRow,
  }
}

/** A write that somebody asked for was answered: a plan that had stopped goes on. */
export function resume(before: PrefixState, now: number): Change {
  const why = `a warm was asked for; the plan goes on (it had stopped: ${before.stopped?.reason ?? 'not'})`
  return { state: restart(before, now), rows: [{ at: now, type: 'decision', decision: 'resume', why }] }
}

/** Whether an entry is believed reusable at `now`. */
export function isWarm(state: PrefixState, now: number): boolean {
  const until = warmUntil(state)
  return state.verdict === 'warm' && until !== null && now < until
}
