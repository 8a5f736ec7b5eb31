import type { Case, Sent } from '../../core/diagnosis/evidence.ts'
import { diagnose } from '../../core/diagnosis/judge.ts'
import { isProved } from '../../core/diagnosis/timing.ts'
import { cacheFactsOf, lostNanos } from '../../core/diagnosis/lost.ts'
import { VERDICTS } from '../../core/diagnosis/verdicts.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { reportedAs } from '../../providers/diagnosis/reported.ts'
import { compareSketches, extendsSketch, ownHistory } from '../../providers/diagnosis/sketch-compare.ts'
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
 * Judges a call by the one before it. Null: it read what it could, or its counts show no miss. `between`: calls that began between the two, of any
 * conversation.
 */
export function judgedCall(
  before: PassedCall,
  after: PassedCall,
  facts: ModelFacts,
  between: readonly PassedCall[] = [],
): Missed | null {
  const held = heldAgainst(before, after, facts, between)
  if (held === null) return null
  const { found, retention } = held
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

/** Least of its own conversation that a call must repeat, in estimated tokens and as a share of the earlier body, to be known to miss it. */
const OWN_TOKENS = 1_024
const OWN_SHARE = 0.2
const BYTES_PER_TOKEN = 4

/** Groups of causes that stand in the request itself. */
const FROM_THE_REQUEST: readonly string[] = ['content', 'order', 'parameters', 'placement', 'routing']

/** What is expected of a call whose counts are not known yet. `isSure`: it must miss, whatever other calls have written meanwhile. */
export interface Expected {
  verdict: Verdict
  confidence: number
  isSure: boolean
}

/**
 * What the bytes of a call and the clock say before its counts are known. Null: nothing speaks for a miss. It is sure where the cause lies in front of
 * turns that belong to this conversation alone, and the call before is known to have left an entry.
 */
export function expectedMiss(before: PassedCall, after: PassedCall, facts: ModelFacts): Expected | null {
  const held = heldAgainst(before, after, facts, [], false)
  if (held === null) return null
  const { found, given, ours, theirs } = held
  const { verdict, confidence } = found
  if (verdict === 'no_miss' || given.bytes === null) return null
  const { changes, placement, readableShare } = given.bytes
  const { own, all } = ownHistory(ours, theirs, changes.length > 0 || placement !== null ? readableShare : 0)
  const isOwn = own >= OWN_TOKENS * BYTES_PER_TOKEN && own >= all * OWN_SHARE
  const isPlain = verdict === 'expired' || FROM_THE_REQUEST.includes(VERDICTS[verdict].group)
  return { verdict, confidence, isSure: isOwn && isPlain && isProved(given) && verdict !== 'below_minimum' }
}

/** `isCounted`: the counts of the later call are known. */
function heldAgainst(
  before: PassedCall,
  after: PassedCall,
  facts: ModelFacts,
  between: readonly PassedCall[],
  isCounted = true,
) {
  const [ours, theirs] = [readSketch(before.sketch), readSketch(after.sketch)]
  if (ours === null || theirs === null) return null
  const retention = facts.retentions.find(({ name }) => name === before.retention) ?? facts.retentions[0] ?? null
  const sent = (call: PassedCall): Sent => sentOf(call, retention?.ttlMs ?? null)
  const isExtended = (call: PassedCall): boolean => {
    const sketch = call.credential === before.credential ? readSketch(call.sketch) : null
    return sketch !== null && extendsSketch(ours, sketch)
  }
  const given: Case = {
    before: { ...sent(before), samePrefix: true },
    between: between.map((call) => ({ ...sent(call), samePrefix: isExtended(call) })),
    after: { ...sent(after), ...(isCounted ? {} : { usage: null }) },
    bytes: compareSketches(ours, theirs),
    reported: after.reported === undefined ? null : reportedAs(...after.reported),
    facts: cacheFactsOf(facts, retention),
  }
  return { found: diagnose(given), given, retention, ours, theirs }
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
