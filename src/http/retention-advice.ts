import { alternative } from '../core/retention-choice.ts'
import { dollars } from '../core/price.ts'
import type { PrefixState } from '../core/state.ts'
import type { Advice } from '../core/types.ts'
import { retentionInForce } from '../durable/records.ts'
import type { PrefixRecord } from '../durable/records.ts'
import { factsOf } from '../runtime/facts.ts'

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
 * or, where they choose it themselves, what another one would save.
 */
export function retentionAdvice({ record, state }: Retained, now: number, grainMs: number): Advice[] {
  const inForce = retentionInForce(record, state)
  if (record.retentionOpen === true && state.asWritten !== true) {
    if (inForce === record.retention) return []
    const message = `It is written at ${inForce} now, and no more at ${record.retention}: markers of real requests should say "ttl":"${inForce}". GET /prefixes/{id}/request shows where they stand.`
    return [{ cause: 'retention_changed', message }]
  }
  const { keepWarm, estimatedTokens } = record
  const facts = factsOf(record.provider, record.model, now)
  const outputFloor = record.outputFloors[Math.min(state.primitiveIndex, record.outputFloors.length - 1)] ?? 0
  const other = alternative(state, { keepWarm, facts, estimatedTokens, outputFloor, grainMs }, now)
  if (other === null || (other.seen === 0 && other.nanos > CLEAR_AT * other.insteadOfNanos)) return []
  const by = other.seen === 0 ? 'gaps of like traffic' : `its last ${other.seen} gaps and those of like traffic`
  const message = `Written at ${inForce}, as its callers say, an idle gap is expected to cost about ${dollars(other.insteadOfNanos)}, and ${dollars(other.nanos)} at ${other.name}, by ${by}. To change that, say "ttl":"${other.name}" in the markers of real requests, delete the prefix and register it so.`
  return [{ cause: 'retention_would_save', message }]
}
