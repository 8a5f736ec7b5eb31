import { cheaperAlternative } from '../../core/planning/retention-choice.ts'
import { gapWords } from '../../core/planning/probe-policy.ts'
import type { Holding } from '../../core/planning/probe-policy.ts'
import { dollars, readNanos } from '../../core/model/price.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import { creationNanos, storageNanos } from '../../core/model/storage-price.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { factsOf, managedCachePricesOf } from '../../runtime/facts.ts'
import type { Advice } from '../../core/model/advice.ts'
import { retentionInForce } from '../../registration/record.ts'
import type { PrefixRecord } from '../../registration/record.ts'
import { MINUTE_MS } from '../../core/time/time.ts'

/** Of what like traffic alone says, only what is clear is worth a word: a fifth of a gap's cost. */
const CLEAR_AT = 0.8

/** As much of a prefix as is needed to say something about its retention. */
export interface Retained {
  record: Pick<
    PrefixRecord,
    'provider' | 'model' | 'retention' | 'retentionOpen' | 'keepWarm' | 'outputFloors' | 'estimatedTokens'
  >
  state: PrefixState
}

/**
 * What its callers should know of the retention as it stands now: that the planner chose another one since they were told of a marker,
 * or, where they choose it themselves, what another one would save, or a managed cache beside one that the provider keeps by itself.
 */
export function retentionAdvice({ record, state }: Retained, now: number, grainMs: number): Advice[] {
  const inForce = retentionInForce(record, state)
  if (record.retentionOpen === true && state.asWritten !== true) {
    if (inForce === record.retention) return []
    const message = `It is written at ${inForce} now, and no more at ${record.retention}: markers of real requests should say "ttl":"${inForce}". GET /prefixes/{id}/request shows where they stand.`
    return [{ cause: 'retention_changed', message }]
  }
  if (state.verdict === 'uncacheable') return []
  const { keepWarm, estimatedTokens } = record
  const facts = factsOf(record.provider, record.model, now)
  const outputFloor = record.outputFloors[Math.min(state.primitiveIndex, record.outputFloors.length - 1)] ?? 0
  const tokens = state.measuredTokens ?? estimatedTokens
  const context = { keepWarm, facts, estimatedTokens, outputFloor, grainMs }
  const handle = handleHolding(record, tokens, facts, now)
  const other = cheaperAlternative(state, context, now, handle === null ? [] : [handle])
  if (other === null || (other.gapCount === 0 && other.nanos > CLEAR_AT * other.insteadOfNanos)) return []
  const by = gapWords(other)
  const [is, instead] = [dollars(other.insteadOfNanos), dollars(other.nanos)]
  if (other.name === handle?.name) {
    const minutes = Math.round(other.heldMs / MINUTE_MS)
    const assumed = `${Math.round((state.retention?.ttlMs ?? 0) / MINUTE_MS)} min, which nobody promises`
    const message = `Kept by the provider's own cache, taken to live ${assumed}, an idle gap is expected to cost about ${is}, and ${instead} as a managed cache that is held for ${minutes} min after each use and paid by the minute, by ${by}. POST /caches makes one.`
    return [{ cause: 'handle_would_save', message }]
  }
  const message = `Written at ${inForce}, as its callers say, an idle gap is expected to cost about ${is}, and ${instead} at ${other.name}, by ${by}. To change that, say "ttl":"${other.name}" in the markers of real requests, delete the prefix and register it so.`
  return [{ cause: 'retention_would_save', message }]
}

/** A managed cache as a way to keep a prefix: its contents are paid once, and then a minute at a time. Null where no price is known. */
function handleHolding(
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
