import { ownAnchorAt } from '../cache/longer-prefix.ts'
import { finding, isEarly } from '../cache/lifetimes.ts'
import { missesAlive } from '../cache/read-receipt.ts'
import type { Reading } from '../cache/read-receipt.ts'
import { retentionAfterMiss } from '../cache/retention.ts'
import type { Usage } from '../model/usage.ts'
import { planKind } from '../planning/plan-kinds.ts'
import type { PlanContext } from '../planning/plan.ts'
import type { Finding, LearnedRetention } from '../prefix/parts.ts'
import type { Purpose, ReceiptKind } from '../prefix/receipt.ts'
import type { PrefixState } from '../prefix/state.ts'
import { afterCacheRead } from './cache-read.ts'
import type { Effect } from '../prefix/effect.ts'
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

function entryWritten({ at, reading }: AnsweredCall): Patch {
  return { verdict: 'warm', anchorAt: at, measuredTokens: reading.sizeTokens, readZeroInRow: 0 }
}

function entryRead({ before, at, purpose, reading, context }: AnsweredCall): Patch {
  const read = { at, sizeTokens: reading.sizeTokens, whole: true }
  return {
    ...afterCacheRead(before, read, context.facts.retentions),
    ...(purpose === 'keep' ? { keepHits: before.keepHits + 1 } : {}),
  }
}

/**
 * What the answer shows of the lifetime of the entry; null: it was not to find one, or leaves it open. `model`: the model that answered;
 * entries of another are not those that were written.
 */
export function findingOf(
  { before, at, usage, purpose, reading }: Pick<AnsweredCall, 'before' | 'at' | 'usage' | 'purpose' | 'reading'>,
  model: string | null,
): Finding | null {
  const { kind } = reading
  // A call by request that had to write a warm entry again shows a loss as a keep-alive does.
  const isRewrite = kind === 'written' && before.verdict === 'warm' && isEarly(before, at - (before.anchorAt ?? 0))
  if (before.anchorAt === null || (kind !== 'full' && kind !== 'cold' && !isRewrite)) return null
  const { readZeroGapMs } = before
  // The answer before read nothing, and this one shows that it was gone then.
  if (readZeroGapMs !== null) return { at: before.anchorAt, ageMs: readZeroGapMs, found: false }
  // Where writes are not reported, a call by request that reads nothing leaves it open: only keep-alives count alike in both cases.
  const tells = purpose === 'keep' || usage.cacheWriteTokens !== null
  return finding(before, at, kind === 'full', tells && reading.strayWrite !== true && !isOtherModel(before, model))
}

/** Whether another model answered than before, whose entries and counts are its own. */
export function isOtherModel({ lastReceipt }: Pick<PrefixState, 'lastReceipt'>, model: string | null): boolean {
  const known = lastReceipt?.model ?? null
  return known !== null && model !== null && known !== model
}

/**
 * A part was read. Where the answer wrote the rest, or read most of it, the entry is whole again. A smaller part belongs to another
 * prompt that begins alike: the call may have written this one.
 */
function entryReadInPart(call: AnsweredCall): Patch {
  const { before, at, usage, reading, context } = call
  if (reading.strayWrite === true) return nothingProved(call)
  if ((usage.cacheWriteTokens ?? 0) === 0 && reading.share === 'less') return nothingProved(call)
  return afterCacheRead(before, { at, sizeTokens: reading.sizeTokens, whole: false }, context.facts.retentions)
}

function entryGone(call: AnsweredCall): Effect {
  const { before, at } = call
  const refutation = refuteRenewal(before, at)
  const gone: Patch = {
    ...refutation.patch,
    keepColds: before.keepColds + 1,
    retention: retentionOfGone(call),
    readZeroGapMs: null,
  }
  const { patch, rows } = surprise(call)
  return { patch: { ...gone, ...patch }, rows: [...rows, ...refutation.rows] }
}

/**
 * A call that was to find the entry paid for it again. Plan `always` pays for that; every other plan stops. Where writes are not
 * reported, the next read shows whether the call wrote it.
 */
function surprise(call: AnsweredCall): Effect {
  const { at, usage, reading, purpose, context } = call
  const wrote = (usage.cacheWriteTokens ?? 0) > 0 && reading.strayWrite !== true
  const patch: Patch = wrote
    ? entryWritten(call)
    : { verdict: 'unknown', anchorAt: at, readZeroInRow: 0, measuredTokens: reading.sizeTokens }
  if (planKind(context.keepWarm.plan).revives) {
    const why = `${reading.why}; plan always pays for that rewrite`
    return { patch, rows: [{ at, type: 'decision', decision: 'rewrite', why }] }
  }
  if (purpose === 'write') return { patch, rows: [] }
  const stays = wrote ? 'it stays warm until its retention passes; ' : ''
  const why = `${reading.why}; ${stays}the next real request or POST /prefixes/{id}/warm starts the plan again`
  return { patch: { ...patch, stopped: { reason: 'surprise_write', at, why } }, rows: [] }
}

function retentionOfGone({ before, at, purpose, context }: AnsweredCall): LearnedRetention | null {
  const { retention, readZeroGapMs } = before
  const ownAt = ownAnchorAt(before)
  if (retention === null || ownAt === null) return retention
  // Gone within seconds: other prompts took its place, which says nothing about how long an entry lives.
  if (purpose === 'verify' && readZeroGapMs === null) return retention
  return retentionAfterMiss(retention, readZeroGapMs ?? at - ownAt, at, context.facts.retentions)
}

function notCached({ before, at, reading }: AnsweredCall): Patch {
  return { verdict: 'uncacheable', readZeroInRow: missesAlive(before, at) + 1, measuredTokens: reading.sizeTokens }
}

function nothingProved({ before, at, usage, reading }: AnsweredCall): Patch {
  const patch: Patch = { verdict: 'unknown', anchorAt: at, measuredTokens: reading.sizeTokens }
  if (usage.cacheReadTokens === null) return patch
  const gapMs = before.anchorAt === null ? null : at - before.anchorAt
  return { ...patch, readZeroInRow: missesAlive(before, at) + 1, readZeroGapMs: before.everHit ? gapMs : null }
}
