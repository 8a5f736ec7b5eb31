import { spendToday } from '../planning/budget.ts'
import { gapAfterAnswer } from '../ledger/credit.ts'
import { applyCacheRead, retentionRows } from './cache-read.ts'
import type { HistoryRow } from '../prefix/history.ts'
import { ownAnchorAt, REFUTED, refutes } from '../cache/longer-prefix.ts'
import type { PlanContext } from '../planning/plan.ts'
import { costOf } from '../model/price.ts'
import { readReceipt } from '../cache/read-receipt.ts'
import { goneAfter, granted } from '../cache/retention.ts'
import { pendingUntil } from '../prefix/signal.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { paidIn } from '../ledger/holdout-gap.ts'
import { lossAfter } from '../ledger/stop-loss.ts'
import type { Primitive } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import type { Purpose } from '../prefix/receipt.ts'
import { planKind } from '../planning/plan-kinds.ts'

/** An answer to one of our calls. */
export interface Answer {
  startedAt: number
  latencyMs: number
  purpose: Purpose
  primitive: Primitive
  usage: Usage
  rawUsage?: string
  model: string | null
  /** What it asked to be written at, where that may not be what is planned by now; absent: it is. */
  retention?: string
}

/** One of our calls was answered: belief, retention, counters and money follow from what the answer says. */
export function applyAnswer(
  before: PrefixState,
  answer: Answer,
  context: PlanContext,
  worst: number | null,
): Transition {
  const { usage, startedAt, purpose } = answer
  const reading = readReceipt(usage, {
    purpose,
    writesReported: context.facts.writesReported,
    probesToSeed: context.facts.probesToSeed ?? 1,
    measuredTokens: before.measuredTokens,
    everHit: before.everHit,
    readZeroInRow: before.readZeroInRow,
  })
  const known = costOf(usage, context.facts.price, answer.retention ?? before.retention?.name ?? '')
  // An answer that does not say what it took is charged as one whose outcome is unknown, and says so.
  const costNanos = known ?? worst
  const why = known === null && worst !== null ? `${reading.why}; charged at its worst case` : reading.why
  const gapMs = before.anchorAt === null ? null : startedAt - before.anchorAt
  const ownAt = ownAnchorAt(before)
  const goneMs = ownAt === null ? null : startedAt - ownAt
  const refuted = reading.kind === 'cold' && refutes(before, startedAt)
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
      ...(answer.rawUsage === undefined ? {} : { rawUsage: answer.rawUsage }),
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
  const asked = answer.retention ?? before.retention?.name
  // What was asked before another was planned says nothing of what that one is granted.
  const grant =
    before.retention === null || asked !== before.retention.name
      ? null
      : granted(before.retention, usage, context.facts.retentions)
  switch (reading.kind) {
    case 'written':
      Object.assign(state, { verdict: 'warm', anchorAt: startedAt, measuredTokens: read + written, readZeroInRow: 0 })
      break
    case 'full':
    case 'partial':
      applyCacheRead(state, before, startedAt, gapMs, read + written, context.facts.retentions)
      if (reading.kind === 'partial' && before.measuredTokens !== null)
        state.measuredTokens = Math.max(before.measuredTokens, read + written)
      if (purpose === 'keep') state.keepHits = before.keepHits + 1
      break
    case 'cold':
      state.keepColds = before.keepColds + 1
      if (state.retention !== null && goneMs !== null)
        state.retention = goneAfter(
          state.retention,
          before.readZeroGapMs ?? goneMs,
          startedAt,
          context.facts.retentions,
        )
      if (written > 0) {
        // The keep-alive itself wrote: there is an entry again, bought without being asked for.
        Object.assign(state, {
          verdict: 'warm',
          anchorAt: startedAt,
          measuredTokens: read + written,
          readZeroInRow: 0,
          readZeroGapMs: null,
        })
        if (!planKind(context.keepWarm.plan).revives) {
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
  if (refuted && state.inside !== undefined) {
    state.inside = { ...state.inside, refuted: true }
    rows.push({ at: startedAt, type: 'decision', decision: 'inside_refuted', why: REFUTED })
  }
  rows.push(...retentionRows(before, state, startedAt))
  state.gap = gapAfterAnswer(state, { at: startedAt, kind: reading.kind, purpose, wrote: written > 0 })
  // Only what an answer proved: a worst case that was reserved is a guard of budgets, not a loss. Nor is what a caller asked
  // for, whose work is still running.
  if (purpose !== 'write' && known !== null && pendingUntil(before, startedAt) === null)
    state.loss = lossAfter(before.loss, known, startedAt)
  // A write that was asked for is no part of what keep-alives cost.
  if (purpose !== 'write') rows.push(...paidIn(state, costNanos ?? 0, startedAt))
  return { state, rows }
}
