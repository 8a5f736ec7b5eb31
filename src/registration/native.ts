import type { Card } from '../providers/card.ts'
import { cardById, cards, dialectOf } from '../providers/registry.ts'
import { Failure } from '../contract/failure.ts'
import { readJson, member } from '../core/prompt/json-text.ts'
import type { CacheInput } from '../contract/cache.ts'
import type { CacheRequest, PreparedPrefix } from '../providers/dialect.ts'
import { cacheValue } from '../contract/cache.ts'
import type { RawJson } from '../contract/raw-json.ts'
import { factsOf } from '../runtime/facts.ts'

export function cardFor(id: string, field: string): Card {
  const card = cardById(id)
  if (card !== undefined) return card
  const known = cards.map((one) => one.id)
  throw new Failure('invalid_request', `${field}: must be one of ${known.join(', ')}.`, { field, known })
}

/**
 * The card that a body is for. Callers often name a vendor that has two wire formats by the id of its card for Responses:
 * a body with `messages` and no `input` then goes to the vendor's card for Chat Completions.
 */
export function cardForBody(card: Card, text: string | undefined): Card {
  const chat = cards.find(({ chatOf }) => chatOf === card.id)
  if (chat === undefined || text === undefined) return card
  const root = readJson(text, 'request')
  const isChat = member(root, 'messages') !== undefined && member(root, 'input') === undefined
  return isChat ? chat : card
}

export function cacheFor(given: CacheInput | undefined): CacheRequest | undefined {
  if (given === undefined) return undefined
  const cache = cacheValue(given)
  if (cache.mode === 'disabled') {
    throw new Failure('invalid_request', 'cache.mode: with the cache disabled there is nothing to warm.', {
      field: 'cache.mode',
    })
  }
  return cache
}

export function preparedNative(
  card: Card,
  given: { request?: RawJson | undefined; model?: string | undefined },
  cache: CacheRequest | undefined,
  now: number,
): PreparedPrefix {
  const { request, model } = given
  return dialectOf(card).prepare(
    {
      text: request?.text ?? '',
      ...(model === undefined ? {} : { model }),
      ...(cache === undefined ? {} : { cache }),
    },
    (id) => factsOf(card.id, id, now),
  )
}
