import { ownAnchorAt } from '../cache/longer-prefix.ts'
import type { Reading } from '../cache/read-receipt.ts'
import { retentionAfterMiss } from '../cache/retention.ts'
import type { Usage } from '../model/usage.ts'
import { planKind } from '../planning/plan-kinds.ts'
import type { PlanContext } from '../planning/plan.ts'
import type { LearnedRetention } from '../prefix/parts.ts'
import type { Purpose, ReceiptKind } from '../prefix/receipt.ts'
import type { PrefixState } from '../prefix/state.ts'
import { afterCacheRead } from './cache-read.ts'
import type { Effect } from './effect.ts'
import { refuteRenewal } from './renewed-by-longer.ts'

/** One answer, what it proves, and what was known before. */
export interface AnsweredCall {
  before: PrefixState
  /** Start of the call. */
  at: number
  usage: Usage
  purpose: Purpose
  reading: Reading
  context: PlanContext
}

type Patch = Partial<PrefixState>

/** What the answer proves about the entry and its retention. */
export function receiptEffect(call: AnsweredCall): Effect {
  return EFFECTS[call.reading.kind](call)
}

const EFFECTS: Record<ReceiptKind, (call: AnsweredCall) => Effect> = {
  written: (call) => ({ patch: entryWritten(call), rows: [] }),
  full: (call) => ({ patch: entryRead(call), rows: [] }),
  partial: (call) => ({ patch: entryReadInPart(call), rows: [] }),
  cold: entryGone,
  uncacheable: (call) => ({ patch: notCached(call), rows: [] }),
  unknown: (call) => ({ patch: nothingProved(call), rows: [] }),
}

function entryWritten({ at, usage }: AnsweredCall): Patch {
  return { verdict: 'warm', anchorAt: at, measuredTokens: cachedTokens(usage), readZeroInRow: 0 }
}

function entryRead({ before, at, usage, purpose, context }: AnsweredCall): Patch {
  const read = { at, tokens: cachedTokens(usage) }
  return {
    ...afterCacheRead(before, read, context.facts.retentions),
    keepHits: before.keepHits + (purpose === 'keep' ? 1 : 0),
  }
}

function entryReadInPart(call: AnsweredCall): Patch {
  const measuredTokens = Math.max(call.before.measuredTokens ?? 0, cachedTokens(call.usage))
  return { ...entryRead(call), measuredTokens }
}

function entryGone(call: AnsweredCall): Effect {
  const { before, at, usage } = call
  const refutation = refuteRenewal(before, at)
  const gone: Patch = {
    ...refutation.patch,
    keepColds: before.keepColds + 1,
    retention: retentionOfGone(call),
    readZeroGapMs: null,
  }
  const wrote = (usage.cacheWriteTokens ?? 0) > 0
  const { patch, rows } = wrote ? surpriseWrite(call) : { patch: readNothing(call), rows: [] }
  return { patch: { ...gone, ...patch }, rows: [...rows, ...refutation.rows] }
}

function readNothing({ before, at }: AnsweredCall): Patch {
  return { verdict: 'cold', anchorAt: at, readZeroInRow: before.readZeroInRow + 1 }
}

/** A keep-alive wrote the entry that it was to renew. Plan `always` pays for that; every other plan stops. */
function surpriseWrite(call: AnsweredCall): Effect {
  const { at, reading, context } = call
  const patch = entryWritten(call)
  if (planKind(context.keepWarm.plan).revives) {
    const why = `${reading.why}; plan always pays for that rewrite`
    return { patch, rows: [{ at, type: 'decision', decision: 'rewrite', why }] }
  }
  const why = `${reading.why}; it stays warm until its retention passes; the next real request or POST /prefixes/{id}/warm starts the plan again`
  return { patch: { ...patch, stopped: { reason: 'surprise_write', at, why } }, rows: [] }
}

function retentionOfGone({ before, at, context }: AnsweredCall): LearnedRetention | null {
  const ownAt = ownAnchorAt(before)
  if (before.retention === null || ownAt === null) return before.retention
  return retentionAfterMiss(before.retention, before.readZeroGapMs ?? at - ownAt, at, context.facts.retentions)
}

function notCached({ before }: AnsweredCall): Patch {
  return { verdict: 'uncacheable', readZeroInRow: before.readZeroInRow + 1 }
}

function nothingProved({ before, at, usage }: AnsweredCall): Patch {
  const patch: Patch = { verdict: 'unknown', anchorAt: at }
  if (usage.cacheReadTokens !== 0) return patch
  const gapMs = before.anchorAt === null ? null : at - before.anchorAt
  return { ...patch, readZeroInRow: before.readZeroInRow + 1, readZeroGapMs: before.everHit ? gapMs : null }
}

function cachedTokens(usage: Usage): number {
  return (usage.cacheReadTokens ?? 0) + (usage.cacheWriteTokens ?? 0)
}
