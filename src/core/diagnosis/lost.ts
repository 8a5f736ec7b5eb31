import type { ModelFacts, RetentionOffer } from '../model/facts.ts'
import { atHour, ratesFor, tokensNanos } from '../model/price.ts'
import type { CacheFacts } from './evidence.ts'

/** What a diagnosis needs of the facts of a model. `retention`: the lifetime that the earlier request asked for; null: not known. */
export function cacheFactsOf(facts: ModelFacts, retention: RetentionOffer | null): CacheFacts {
  return {
    minimumTokens: facts.minimumTokens,
    writesReported: facts.writesReported,
    kind: retention?.kind ?? null,
    ttlMs: retention?.ttlMs ?? null,
    spill: facts.spill ?? null,
    blockTokens: facts.blockTokens ?? 128,
  }
}

/** A miss whose price is asked for. `inputTokens`: the whole prompt; null: not known. `at`: when it was sent. */
export interface Lost {
  tokens: number | null
  inputTokens: number | null
  retention: string | null
  at: number
}

/** What was paid more than a read would have cost, in nano-dollars; null: a price or a count is not known. */
export function lostNanos({ tokens, inputTokens, retention, at }: Lost, facts: ModelFacts): number | null {
  const { price, writesReported } = facts
  if (tokens === null || price === null) return null
  const rates = ratesFor(atHour(price, at), inputTokens ?? tokens)
  const written = writesReported && retention !== null ? rates.cacheWriteNanosPerMTok[retention] : undefined
  const whole = Math.round(tokens)
  const anew = tokensNanos(whole, written ?? rates.inputNanosPerMTok)
  return Math.max(0, anew - tokensNanos(whole, rates.cacheReadNanosPerMTok))
}
