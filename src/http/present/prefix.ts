import { DEFAULT_HOLDOUT, DEFAULT_TTFT_SHARE } from '../../contract/keep-warm.ts'
import { driftWhy } from '../../core/cache/drift.ts'
import { windowJson } from '../../contract/windows.ts'
import { announcementsAt } from '../../core/prefix/announcement.ts'
import type { Belief } from '../../core/cache/belief.ts'
import type { HistoryRow } from '../../core/prefix/history.ts'
import type { KeepWarm } from '../../core/planning/plan.ts'
import { needsSomebody } from '../../core/prefix/alert.ts'
import { signalAt } from '../../core/prefix/signal.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import type { BarrierAnswer } from '../../durable/registry/records/barrier.ts'
import type { Job } from '../../durable/registry/records/claim.ts'
import type { PrefixView } from '../../durable/registry/records/prefix-view.ts'
import { markerAdvice } from '../../registration/marker-advice.ts'
import type { Advice } from '../../core/model/advice.ts'
import { measuredFirstToken, medianMs, shareWithin } from '../../core/prefix/first-token.ts'
import { targetOf } from '../../core/planning/break-even.ts'
import type { Receipt } from '../../core/prefix/receipt.ts'
import type { Signal } from '../../core/prefix/parts.ts'
import { dayOf } from '../../core/time/time.ts'
import { cacheUseAdvice, cacheUseJson } from './cache-use.ts'
import { evidenceAdvice, evidenceJson } from './evidence.ts'
import { iso, money, durationJson, usageJson, failureJson } from './format.ts'
import { retentionInForce } from '../../registration/record.ts'

/** Stored data as JSON of the API: snake_case, instants in ISO 8601, money in US dollars; null where nothing is known. */

/** A `Belief` after a call between objects, whose types widen its tuple. */
export type ReceivedBelief = Omit<Belief, 'interval'> & { interval: readonly number[] }
/** A `PrefixView` after a call between objects. */
export type ReceivedView = Omit<PrefixView, 'belief'> & { belief: ReceivedBelief }

export function receiptJson(receipt: Receipt) {
  return {
    at: iso(receipt.at),
    kind: receipt.kind,
    purpose: receipt.purpose,
    primitive: receipt.primitive,
    usage: usageJson(receipt.usage),
    provider_usage: receipt.rawUsage === undefined ? null : (JSON.parse(receipt.rawUsage) as Record<string, unknown>),
    cost_usd: money(receipt.costNanos),
    latency_ms: receipt.latencyMs,
    model: receipt.model,
    why: receipt.why,
  }
}

/** Further digits of a probability mean nothing. */
const digits = (probability: number): number => Number(probability.toFixed(4))

export function warmthJson(belief: ReceivedBelief) {
  return {
    state: belief.state,
    p_warm: digits(belief.pWarm),
    interval: belief.interval.map(digits),
    warm_until: iso(belief.warmUntil),
    why: belief.why,
    assumed: belief.assumed,
  }
}

export function keepWarmJson(keepWarm: KeepWarm) {
  return {
    plan: keepWarm.plan,
    until: iso(keepWarm.untilAt),
    idle_timeout: keepWarm.idleTimeoutMs === null ? null : durationJson(keepWarm.idleTimeoutMs),
    windows: keepWarm.windows.map(windowJson),
    budget_usd_per_day: money(keepWarm.budgetNanosPerDay),
    max_usd_per_call: money(keepWarm.maxNanosPerCall ?? null),
    latency_value_usd: money(keepWarm.latencyValueNanos ?? 0),
    ttft_target_ms: keepWarm.ttftTargetMs ?? null,
    ttft_share: keepWarm.ttftTargetMs == null ? null : (keepWarm.ttftShare ?? DEFAULT_TTFT_SHARE),
    holdout: keepWarm.holdoutShare ?? DEFAULT_HOLDOUT,
  }
}

export function planJson({ record, state }: Pick<ReceivedView, 'record' | 'state'>) {
  return {
    plan: record.keepWarm.plan,
    retention: retentionInForce(record, state),
    ...(record.layout === undefined ? {} : { retentions: record.layout }),
    retention_seconds: state.retention === null ? null : state.retention.ttlMs / 1_000,
    next_probe_at: iso(state.nextAt),
    stopped:
      state.stopped === null
        ? null
        : {
            reason: state.stopped.reason,
            at: iso(state.stopped.at),
            why: state.stopped.why,
            needs_somebody: needsSomebody(state),
          },
    why: state.why,
    assumed: state.retention?.assumed ?? false,
  }
}

/** `advice`: advice for now, beside that of its registration. */
export function prefixJson(view: ReceivedView, advice: readonly Advice[] = []) {
  const { record, state } = view
  return {
    id: record.id,
    name: record.name,
    version: record.version,
    superseded: record.superseded,
    superseded_at: iso(record.newer?.takenAt ?? null),
    newer_warm_at: iso(record.newer?.passed === true ? null : (record.newer?.warmAt ?? null)),
    provider: record.provider,
    model: record.model,
    credential: record.credential,
    ...(record.region === undefined ? {} : { region: record.region }),
    required: record.required ?? false,
    fingerprint: record.fingerprint,
    created_at: iso(record.createdAt),
    warmth: warmthJson(view.belief),
    plan: planJson(view),
    keep_warm: keepWarmJson(record.keepWarm),
    signal: signalJson(signalAt(state, view.now)),
    ...(state.lifetime === undefined ? {} : { lifetime: state.lifetime }),
    announcements: announcementsAt(state, view.now).map((one) => ({
      at: iso(one.at),
      expected_requests: one.expectedRequests,
    })),
    last_receipt: state.lastReceipt === null ? null : receiptJson(state.lastReceipt),
    last_failure: lastFailureJson(state),
    drift: driftJson(state),
    ...evidenceJson(view),
    last_hit:
      state.lastHit === null
        ? null
        : { at: iso(state.lastHit.at), cached_tokens: state.lastHit.cachedTokens, ttft_ms: state.lastHit.ttftMs },
    ttft: firstTokenJson(view),
    hits: state.hits,
    misses: state.misses,
    probes: state.probes,
    // Unknown, not 0, where the price of no call is known.
    cost_usd: state.unpricedCalls > 0 && state.costNanos === 0 ? null : money(state.costNanos),
    unpriced_calls: state.unpricedCalls,
    ...savedJson(state),
    cost_today_usd: money(state.day === dayOf(view.now) ? state.spentNanos : 0),
    estimated_tokens: record.estimatedTokens,
    measured_tokens: state.measuredTokens,
    prefix_ends_at: record.breakpoint,
    in_flight: view.inFlight,
    ...cacheUseJson(view),
    advice: [...advice, ...ownAdvice(view)],
  }
}

/** Registration advice, re-evaluated for the current retention, and what a drift asks for. */
export function ownAdvice({ record, state }: Pick<PrefixView, 'record' | 'state'>): Advice[] {
  const advice = [
    ...markerAdvice(record.advice, record.retention, retentionInForce(record, state)),
    ...targetAdvice({ record, state }),
    ...cacheUseAdvice(state),
    ...evidenceAdvice(state),
  ]
  const { drift, measuredTokens, doubt } = state
  if (doubt !== undefined) advice.push(countsAdvice(doubt))
  if (drift?.shown === undefined) return advice
  const message = `Since ${iso(drift.sinceAt)}: ${driftWhy(drift, measuredTokens)}.`
  const fix = 'Register what they send now with POST /warm, under the same name; or send the registered bytes again.'
  return [...advice, { cause: 'drifted', message, severity: 'warning', fix }]
}

/** Told where the counts of an answer cannot be true, or were above the most that was expected. */
function countsAdvice({ kind, at, why }: NonNullable<PrefixState['doubt']>): Advice {
  const message = `${iso(at)}: ${why}.`
  const fix =
    kind === 'impossible_usage'
      ? "Look at last_receipt.provider_usage, and at what answers at the provider's address: a proxy may change the counts."
      : 'Compare the answer with the bill of the provider. Raise keep_warm.budget_usd_per_day if the count is right.'
  return { cause: kind, message, severity: 'warning', fix }
}

/** Told where warmth does not bring the target of the first token nearer, so that nobody waits for it. */
function targetAdvice({ record, state }: Pick<PrefixView, 'record' | 'state'>): Advice[] {
  const target = targetOf(state, record)
  if (target === null || target.reached !== 'never') return []
  const message = `keep_warm asks for ${target.why}. Warmth cannot reach it, so nothing is spent on it.`
  const fix = 'Raise keep_warm.ttft_target_ms above the measured warm time, or shorten what follows the prefix.'
  return [{ cause: 'ttft_target_out_of_reach', message, at: 'keep_warm.ttft_target_ms', severity: 'warning', fix }]
}

/** Measured times to the first token, and the share of the latest real requests that met the target. */
function firstTokenJson({ record: { keepWarm }, state }: Pick<ReceivedView, 'record' | 'state'>) {
  const { ttft } = state
  const kind = (name: 'warm' | 'cold') => {
    const measured = measuredFirstToken(ttft, name)
    return measured === null
      ? null
      : { median_ms: medianMs(measured), count: measured.timesMs.length, from: measured.from }
  }
  const targetMs = keepWarm.ttftTargetMs ?? null
  const all = ttft?.all ?? []
  return {
    warm: kind('warm'),
    cold: kind('cold'),
    within_target: targetMs === null || all.length === 0 ? null : shareWithin(all, targetMs),
  }
}

function driftJson({ drift, measuredTokens }: PrefixState) {
  if (drift?.shown === undefined) return null
  return {
    since: iso(drift.sinceAt),
    requests: drift.requests,
    why: driftWhy(drift, measuredTokens),
    ...(drift.first === undefined ? {} : { first_difference: drift.first }),
  }
}

/** Savings of keep-alives, and what is left after their cost. Null where no part of a sum is known. */
function savedJson(state: PrefixState) {
  const saved = state.unpricedSavings > 0 && state.savedNanos === 0 ? null : state.savedNanos
  const cost = state.unpricedCalls > 0 && state.costNanos === 0 ? null : state.costNanos
  return {
    saved_usd: money(saved),
    net_usd: money(saved === null || cost === null ? null : saved - cost),
    savings: state.credits,
    unpriced_savings: state.unpricedSavings,
  }
}

function signalJson(signal: Signal | null) {
  if (signal === null) return null
  if (signal.kind === 'end') return { kind: signal.kind, at: iso(signal.at), until: null }
  const { kind, at, untilAt, child } = signal
  return { kind, at: iso(at), until: iso(untilAt), ...(child === true ? { child } : {}) }
}

function lastFailureJson(state: PrefixState) {
  if (state.lastFailure === null) return null
  return { at: iso(state.lastFailure.at), ...failureJson(state.lastFailure.failure) }
}

export function historyJson(row: HistoryRow) {
  const at = iso(row.at)
  if (row.type === 'arrival') {
    const { type, count, hits, misses, cachedTokens } = row
    return { at, type, count, hits, misses, cached_tokens: cachedTokens }
  }
  if (row.type === 'rollup') {
    const { type, receipts, arrivals, hits, misses, decisions } = row
    const cached_tokens = row.cachedTokens
    const cost_usd = money(row.costNanos)
    const saved = row.savings ?? { count: 0, nanos: 0, unpriced: 0 }
    const savings = { saved_usd: money(saved.nanos), savings: saved.count, unpriced_savings: saved.unpriced }
    const unpriced_calls = row.unpriced ?? 0
    return {
      at,
      type,
      receipts,
      cost_usd,
      unpriced_calls,
      ...savings,
      arrivals,
      hits,
      misses,
      cached_tokens,
      decisions,
    }
  }
  if (row.type === 'trial') {
    const cost = { cost_usd: money(row.costNanos), write_usd: money(row.worthNanos) }
    const instead = row.insteadOfNanos === undefined ? {} : { instead_of_usd: money(row.insteadOfNanos) }
    return { at, type: row.type, arm: row.arm, ...cost, ...instead, why: row.why }
  }
  if (row.type === 'saving') return { at, type: row.type, kind: row.kind, saved_usd: money(row.nanos), why: row.why }
  if (row.type === 'decision') return { at, type: row.type, decision: row.decision, reason: row.why, why: row.why }
  return {
    at,
    type: row.type,
    kind: row.kind,
    purpose: row.purpose,
    primitive: row.primitive,
    usage: row.usage === null ? null : usageJson(row.usage),
    cost_usd: money(row.costNanos),
    latency_ms: row.latencyMs,
    model: row.model,
    why: row.why,
  }
}

export function barrierJson(id: string, { role, lease, until, why }: BarrierAnswer) {
  return { prefix_id: id, role, lease, until: iso(until), why }
}

export function jobJson(job: Job) {
  return {
    id: job.id,
    prefix_id: job.prefixId,
    status: job.status,
    created_at: iso(job.createdAt),
    finished_at: iso(job.finishedAt),
    receipt: job.receipt === null ? null : receiptJson(job.receipt),
    failure: job.failure === null ? null : failureJson(job.failure),
    ...(job.fallback === undefined ? {} : { fallback_job: job.fallback }),
  }
}
