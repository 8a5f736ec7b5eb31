import { cheaperAlternative } from '../../core/planning/retention-choice.ts'
import { gapWords } from '../../core/planning/probe-policy.ts'
import type { Holding } from '../../core/planning/probe-policy.ts'
import { dollars, readNanos } from '../../core/model/price.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import { creationNanos, storageNanos } from '../../core/model/storage-price.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { factsOf, managedCachePricesOf } from '../../runtime/facts.ts'
import type { Advice } from '../../core/model/advice.ts'
import { retentionInForce, factsModelOf, sizeOf } from '../../registration/record.ts'
import type { PrefixRecord } from '../../registration/record.ts'
import { MINUTE_MS } from '../../core/time/time.ts'

/** Without idle gaps of its own, advice needs a clear saving: a fifth of a gap's cost. */
const CLEAR_SHARE = 0.8

/** The parts of a prefix that advice on its retention needs. */
export interface Retained {
  record: Pick<
    PrefixRecord,
    | 'provider'
    | 'model'
    | 'retention'
    | 'layout'
    | 'retentionOpen'
    | 'keepWarm'
    | 'outputFloors'
    | 'estimatedTokens'
    | 'cacheOpen'
    | 'bound'
  >
  state: PrefixState
}

/**
 * Advice on the retention in force. Where the planner chooses it: that it differs from the registered one, whose marker callers
 * write. Where callers choose it: that another retention, or a managed cache, would cost clearly less.
 */
export function retentionAdvice({ record, state }: Retained, now: number, grainMs: number): Advice[] {
  const inForce = retentionInForce(record, state)
  if (record.retentionOpen === true && state.asWritten !== true) {
    if (inForce === record.retention) return []
    const message = `Probes now write this prefix at ${inForce}, not at ${record.retention}. Set "ttl":"${inForce}" in the markers of real requests. GET /prefixes/{id}/request shows where the markers are.`
    return [{ cause: 'retention_changed', message }]
  }
  // Who gives markers several lifetimes has chosen both.
  if (state.verdict === 'uncacheable' || record.layout !== undefined) return []
  const { keepWarm, estimatedTokens } = record
  const facts = factsOf(record.provider, factsModelOf(record), now)
  const outputFloor = record.outputFloors[Math.min(state.primitiveIndex, record.outputFloors.length - 1)] ?? 0
  const tokens = state.measuredTokens ?? estimatedTokens
  const context = { keepWarm, facts, ...sizeOf(record), outputFloor, grainMs }
  // Where the choice is open, the planner makes it.
  const managed = record.cacheOpen === true ? null : managedCacheHolding(record, tokens, facts, now)
  const other = cheaperAlternative(state, context, now, managed === null ? [] : [managed])
  if (other === null || (other.gapCount === 0 && other.nanos > CLEAR_SHARE * other.insteadOfNanos)) return []
  const by = gapWords(other)
  const [is, instead] = [dollars(other.insteadOfNanos), dollars(other.nanos)]
  if (other.name === managed?.name) {
    const minutes = Math.round(other.heldMs / MINUTE_MS)
    const assumed = Math.round((state.retention?.ttlMs ?? 0) / MINUTE_MS)
    const message = `An idle gap should cost about ${is} in the provider's own cache (assumed lifetime ${assumed} min). In a managed cache, kept for ${minutes} min after each use, it should cost about ${instead}. Both figures come from ${by}. POST /caches creates a managed cache; "cache": "auto" leaves the choice to the planner.`
    return [{ cause: 'handle_would_save', message }]
  }
  const message = `An idle gap should cost about ${is} at retention ${inForce}, which callers chose, and about ${instead} at ${other.name}. Both figures come from ${by}. To change the retention, write "ttl":"${other.name}" in the markers of real requests, delete the prefix and register it again.`
  return [{ cause: 'retention_would_save', message }]
}

/** The cost of a managed cache for the same tokens: created once, then paid by the minute. Null: a price is not known. */
function managedCacheHolding(
  { provider, model }: Retained['record'],
  tokens: number,
  facts: ModelFacts,
  now: number,
): Holding | null {
  const { inputNanosPerMTok, rates } = managedCachePricesOf(provider, model, now)
  const minute = storageNanos(tokens, now, now + MINUTE_MS, rates)
  if (facts.price === null || inputNanosPerMTok === null || minute === null) return null
  return {
    name: 'handle',
    ttlMs: MINUTE_MS,
    everyMs: MINUTE_MS,
    write: creationNanos(tokens, inputNanosPerMTok),
    read: readNanos(tokens, 0, facts.price),
    probe: minute,
  }
}
