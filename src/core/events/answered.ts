import { readReceipt, missesAlive } from '../cache/read-receipt.ts'
import type { Expectation, Reading } from '../cache/read-receipt.ts'
import { headWritten } from '../cache/longer-head.ts'
import { granted } from '../cache/retention.ts'
import { ttlAfter } from '../cache/ttl.ts'
import { gapAfterAnswer } from '../ledger/credit.ts'
import type { Price, Primitive, RetentionOffer } from '../model/facts.ts'
import { believable } from '../model/usage.ts'
import type { Usage } from '../model/usage.ts'
import { mostTokens } from '../planning/budget.ts'
import type { PlanContext } from '../planning/plan.ts'
import { addFirstToken } from '../prefix/first-token.ts'
import type { HistoryRow } from '../prefix/history.ts'
import type { CountsDoubt } from '../prefix/parts.ts'
import type { Purpose, Receipt } from '../prefix/receipt.ts'
import { afterServed } from '../prefix/served-model.ts'
import type { Served } from '../prefix/served-model.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { applyCharge, chargeOf } from './charge.ts'
import type { Charge } from './charge.ts'
import { countsDoubt, doubtAfter, doubtRow } from './counts-doubt.ts'
import { answerToDrift } from './drifted.ts'
import { findingOf, isOtherModel, receiptEffect } from './receipt-effect.ts'
import { retentionRows } from './retention-changed.ts'
import { watchKeepAlive } from '../cache/alarms/watched.ts'

/** An answer to one of our calls. */
export interface Answer {
  startedAt: number
  latencyMs: number
  purpose: Purpose
  primitive: Primitive
  usage: Usage
  rawUsage?: string
  model: string | null
  /** Which model answered, where the answer names one. */
  served?: Served
  /** Name of the retention that the call asked for; absent: the planned one. */
  retention?: string
  /** The price when it was sent; absent: that of the facts. */
  price?: Price | null
}

/**
 * Applies an answer to one of our calls: what its usage proves of the entry and the retention, and what it cost.
 * `worstNanos`: the amount reserved for the call, charged where the usage or the price is unknown.
 */
export function applyAnswer(
  before: PrefixState,
  given: Answer,
  context: PlanContext,
  worstNanos: number | null,
): Transition {
  const answer = { ...given, usage: believable(given.usage, context.facts.contextTokens) }
  const { usage, startedAt: at, purpose } = answer
  const { facts } = context
  const asked = answer.retention ?? before.retention?.name ?? ''
  const reading = readReceipt(usage, expectationOf(before, answer, context))
  const charge = chargeOf(usage, given.price === undefined ? facts.price : given.price, asked, worstNanos)
  const counts = { usage, charge, worstNanos, mostTokens: mostTokens(before, context) }
  const doubt = countsDoubt(given.usage, at, counts)
  const receipt = receiptOf(answer, reading, charge, doubt)
  const effect = receiptEffect({ before, at, usage, purpose, reading, context })
  const money = applyCharge(before, charge, purpose, at)
  const finding = findingOf({ before, at, usage, purpose, reading }, answer.model)
  const state: PrefixState = {
    ...before,
    ...countersAfter(before, answer),
    ...effect.patch,
    ...retentionGranted(before, asked, usage, facts.retentions),
    ...money.patch,
    ...doubtAfter(before, doubt, counts),
    ...firstTokenAfter(before, reading.kind, given.latencyMs),
    ...(usage.inputTokens === null ? {} : { countedTokens: usage.inputTokens }),
    lastReceipt: answer.rawUsage === undefined ? receipt : { ...receipt, rawUsage: answer.rawUsage },
  }
  delete state.unsettledAt
  if (typeof given.served !== 'string') {
    const call = { by: 'probes' as const, at, usage, sent: asked, measuredTokens: state.measuredTokens }
    const findings = finding === null ? [] : [finding]
    const ttl = ttlAfter(before.ttl, { ...call, findings }, facts.retentions)
    if (ttl !== undefined) state.ttl = ttl
  }
  const head = headWritten(usage, context.layout, facts.retentions)
  if (head !== undefined) state.longer = head
  const wrote = (usage.cacheWriteTokens ?? 0) > 0
  state.gap = gapAfterAnswer(state, { at, kind: reading.kind, purpose, wrote, share: reading.share })
  const row: HistoryRow = { type: 'receipt', ...receipt }
  const told = doubt === null ? [] : [doubtRow(doubt)]
  const drift = answerToDrift(before, state, reading.kind, at)
  const rows = [row, ...told, ...effect.rows, ...drift.rows, ...retentionRows(before, state, at), ...money.rows]
  const served = afterServed(drift.state, given.served, at, 'probes')
  rows.push(...served.rows)
  const watched = purpose === 'keep' ? watchKeepAlive(before, finding) : {}
  return { state: { ...served.state, ...watched }, rows, ...(finding === null ? {} : { findings: [finding] }) }
}

function expectationOf(
  before: PrefixState,
  { purpose, startedAt, model }: Answer,
  { facts, estimatedTokens }: PlanContext,
): Expectation {
  const { writesReported, probesToSeed, blockTokens } = facts
  return {
    purpose,
    writesReported,
    estimatedTokens,
    measuredTokens: isOtherModel(before, model) ? null : before.measuredTokens,
    everHit: before.everHit || before.lastReceipt?.kind === 'partial',
    readZeroInRow: missesAlive(before, startedAt),
    ...(probesToSeed === undefined ? {} : { probesToSeed }),
    ...(blockTokens === undefined ? {} : { blockTokens }),
  }
}

function receiptOf(
  answer: Answer,
  reading: Reading,
  { provedNanos, nanos }: Charge,
  doubt: CountsDoubt | null,
): Omit<Receipt, 'rawUsage'> {
  const { startedAt: at, purpose, primitive, usage, latencyMs, model } = answer
  const isWorst = provedNanos === null && nanos !== null
  const said = doubt?.kind === 'impossible_usage' ? `${reading.why}; ${doubt.why}` : reading.why
  const why = isWorst ? `${said}; charged at its worst case` : said
  return { at, kind: reading.kind, purpose, primitive, usage, costNanos: nanos, latencyMs, model, why }
}

function countersAfter(before: PrefixState, { purpose, usage }: Answer): Partial<PrefixState> {
  const isSilent = usage.cacheReadTokens === null && usage.cacheWriteTokens === null
  return {
    generation: before.generation + 1,
    lastFailure: null,
    failuresInRow: 0,
    probes: before.probes + 1,
    probesSinceArrival: before.probesSinceArrival + (purpose === 'keep' ? 1 : 0),
    silentInRow: isSilent ? before.silentInRow + 1 : 0,
  }
}

/** A call of ours ends with its first token. A part that was read is neither warm nor cold. */
function firstTokenAfter({ ttft }: PrefixState, kind: Receipt['kind'], ms: number): Pick<PrefixState, 'ttft'> {
  if (kind === 'full') return { ttft: addFirstToken(ttft, ms, ['probeWarm']) }
  return kind === 'written' || kind === 'cold' ? { ttft: addFirstToken(ttft, ms, ['probeCold']) } : {}
}

/** The retention that a write was granted. It starts a new entry, so nothing learned from the entry before counts. */
function retentionGranted(
  { retention }: PrefixState,
  asked: string,
  usage: Usage,
  offers: readonly RetentionOffer[],
): Partial<PrefixState> {
  // A call that asked for another retention is no evidence about the planned one.
  if (retention === null || asked !== retention.name || (usage.cacheWriteTokens ?? 0) === 0) return {}
  const grant = granted(retention, usage, offers)
  return grant === null ? {} : { retention: grant.retention }
}
