import { nextRequest } from '../../core/cache/next-request.ts'
import { factsModelOf, retentionInForce } from '../../registration/record.ts'
import { factsOf } from '../../runtime/facts.ts'
import { money } from './format.ts'
import type { ReceivedView } from './prefix.ts'

/** What the prefix costs in the next request; null: its price is not known. */
export function nextRequestJson(
  { record, state, belief }: Pick<ReceivedView, 'record' | 'state' | 'belief'>,
  now: number,
) {
  const { price } = factsOf(record.provider, factsModelOf(record), now)
  const retention = retentionInForce(record, state)
  const next = nextRequest(state, belief, { price, estimatedTokens: record.estimatedTokens, retention })
  if (next === null) return null
  return {
    tokens: next.tokens,
    tokens_counted: next.counted,
    cost_usd: money(next.expected),
    interval_usd: next.interval.map((nanos) => money(nanos)),
    if_warm_usd: money(next.warm),
    if_cold_usd: money(next.cold),
    rewrite_usd: money(next.rewrite),
  }
}
