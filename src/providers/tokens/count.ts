import { readJson } from '../../core/prompt/json-text.ts'
import type { CountMargin } from '../../core/prompt/token-bound.ts'
import type { Card } from '../card.ts'
import type { ProbeRequest } from '../dialect.ts'
import { dialectOf } from '../registry.ts'
import { matches } from './bound.ts'
import { leastTokens } from './least-tokens.ts'

/** How a provider counts a request free of charge. */
export interface FreeCount {
  request: ProbeRequest
  /** Member of the answer that holds the tokens. */
  member: string
  /** The least tokens that can be true. */
  leastTokens: number
  /** By how much the count may be below what is billed. */
  margin: CountMargin
}

/** Whether a provider counts the requests of a model free of charge. Some bodies it does not count all the same. */
export function isCounted(card: Pick<Card, 'tokens' | 'dialect' | 'wire'>, model: string): boolean {
  const count = card.tokens?.count
  if (count === undefined || dialectOf(card).count === undefined) return false
  const name = count.nameOf?.(model) ?? model
  return count.models?.some((pattern) => matches(pattern, name)) ?? true
}

/** The count of a request to a model; null: its provider does not count that model, or not such a body. */
export function freeCountOf(
  card: Pick<Card, 'tokens' | 'dialect' | 'wire'>,
  model: string,
  request: ProbeRequest,
): FreeCount | null {
  const format = dialectOf(card).count
  const count = card.tokens?.count
  if (format === undefined || count === undefined || !isCounted(card, model)) return null
  const counting = format.request(request, count.nameOf?.(model) ?? model)
  if (counting === null) return null
  const { share, tokens } = count
  return {
    request: counting,
    member: format.member,
    leastTokens: leastTokens(readJson(request.body)),
    margin: { share, tokens },
  }
}
