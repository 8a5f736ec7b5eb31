import type { Case, Sent } from '../../core/diagnosis/evidence.ts'
import { diagnose } from '../../core/diagnosis/judge.ts'
import { cacheFactsOf, lostNanos } from '../../core/diagnosis/lost.ts'
import { VERDICTS } from '../../core/diagnosis/verdicts.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { reportedAs } from '../../providers/diagnosis/reported.ts'
import { compareSketches } from '../../providers/diagnosis/sketch-compare.ts'
import { readSketch } from '../../providers/diagnosis/sketch-text.ts'
import type { PassedCall } from './passed-call.ts'

/** Why a call missed. `nanos`: what it cost beyond a read; null: not known. `path`: the first difference. */
export interface Missed {
  verdict: Verdict
  confidence: number
  lostTokens: number | null
  nanos: number | null
  path: string | null
}

/**
 * Judges a call by the one before it. Null: it read what it could, or its counts show no miss.
 */
export function judgedCall(before: PassedCall, after: PassedCall, facts: ModelFacts): Missed | null {
  const [ours, theirs] = [readSketch(before.sketch), readSketch(after.sketch)]
  if (ours === null || theirs === null) return null
  const retention = facts.retentions.find(({ name }) => name === before.retention) ?? facts.retentions[0] ?? null
  const sent = (call: PassedCall): Sent => sentOf(call, retention?.ttlMs ?? null)
  const given: Case = {
    before: { ...sent(before), samePrefix: true },
    between: [],
    after: sent(after),
    bytes: compareSketches(ours, theirs),
    reported: after.reported === undefined ? null : reportedAs(...after.reported),
    facts: cacheFactsOf(facts, retention),
  }
  const found = diagnose(given)
  const { verdict, confidence, lostTokens, first } = found
  if (found.isMiss !== true || VERDICTS[verdict].group === 'accounting') return null
  // What is too small to be cached is no loss.
  const tokens = verdict === 'below_minimum' ? 0 : lostTokens
  const { usage, startedAt: at } = after
  const price = { tokens, inputTokens: usage.inputTokens, retention: retention?.name ?? null, at }
  return {
    verdict,
    confidence,
    lostTokens: tokens,
    nanos: after.flat === true ? null : lostNanos(price, facts),
    path: first?.path ?? null,
  }
}

function sentOf(call: PassedCall, askedTtlMs: number | null): Sent {
  const { startedAt, ttftMs, doneMs, usage, impossible, unsaid, credential, upstream } = call
  const writtenMs = ttftMs ?? doneMs ?? null
  return {
    startedAt,
    firstTokenAt: writtenMs === null ? null : startedAt + writtenMs,
    usage,
    impossible: impossible === true,
    unsaid: unsaid === true,
    status: null,
    credential,
    upstream: upstream ?? null,
    responseId: null,
    askedTtlMs,
    samePrefix: null,
  }
}
