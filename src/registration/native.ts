import type { TemplateWork } from '../core/prompt/template.ts'
import type { CacheInput } from '../contract/cache.ts'
import { cacheValue } from '../contract/cache.ts'
import { invalid } from '../contract/failure.ts'
import type { RawJson } from '../contract/raw-json.ts'
import type { WarmBody } from '../contract/warm.ts'
import type { Advice } from '../core/model/advice.ts'
import { member, readJson } from '../core/prompt/json-text.ts'
import type { Card } from '../providers/card.ts'
import type { CacheRequest, NativeRequest, NeutralRequest, PreparedPrefix } from '../providers/dialect.ts'
import { withoutCredentials } from '../providers/dialects/shared/credentials.ts'
import { filled } from '../providers/prefix/native-form.ts'
import { renderNeutral } from '../providers/prefix/neutral.ts'
import { cards, dialectOf, servesAlone } from '../providers/registry.ts'
import { allCards, cardById } from '../runtime/cards.ts'
import { factsOf } from '../runtime/facts.ts'
import { neutralRequest } from './neutral/form.ts'
import { refuseDisabled, refuseMisplaced, unknownProvider } from './refuse.ts'

/** The card of a provider id. Throws `invalid_request` at `field`. */
export function cardFor(id: string, field: string): Card {
  const card = cardById(id)
  if (card !== undefined) return card
  throw unknownProvider(
    field,
    allCards().map((one) => one.id),
    id,
  )
}

/**
 * The card that serves a body. Callers often name a vendor that has two wire formats by the id of its first card: a body with `messages`,
 * and without the turns of that format, then goes to the other one; so does the neutral form of a model that only the other one serves.
 */
export function cardOf(
  { provider, request, model }: { provider: string; request?: RawJson | undefined; model?: string | undefined },
  field: string,
): Card {
  const card = cardFor(provider, field)
  const chat = cards.find(({ chatOf }) => chatOf === card.id)
  if (chat === undefined) return card
  if (request === undefined) return model !== undefined && servesAlone(chat, model) ? chat : card
  const root = readJson(request.text, 'request')
  const isChat =
    member(root, 'messages') !== undefined &&
    member(root, 'input') === undefined &&
    member(root, 'contents') === undefined
  return isChat ? chat : card
}

/** What a body asks of the cache; undefined: it asks nothing. Throws `invalid_request` where the cache is disabled. */
export function cacheOf(given: CacheInput | undefined): CacheRequest | undefined {
  if (given === undefined) return undefined
  const cache = cacheValue(given)
  refuseDisabled(cache)
  return cache
}

/** A body in its provider's form: its card, and its text for a cache request. */
export interface Source {
  card: Card
  cache: CacheRequest | undefined
  /** The neutral form that the text is rendered from; null where the body came in the native form. */
  neutral: NeutralRequest | null
  /** Advice about what of the caller's form is not sent. */
  advice: readonly Advice[]
  native: (cache: CacheRequest | undefined) => NativeRequest
}

/**
 * Reads a body of either form. `systemHead`: as in `NeutralRequest`; a native body stays as it is. Throws `invalid_request` or
 * `unsupported` for what cannot be rendered.
 */
export function sourceOf(
  body: WarmBody,
  now: number,
  { systemHead = 0, templateWork: work }: { systemHead?: number; templateWork?: TemplateWork } = {},
): Source {
  refuseMisplaced(body)
  const { provider, request, model } = body
  if (provider === undefined) throw invalid('provider', 'is missing')
  const card = cardOf({ provider, request, model }, 'provider')
  const cache = cacheOf(body.cache)
  if (request !== undefined) {
    const text = filled(request.text, dialectOf(card), { vars: body.vars, filter: body.tool_filter, work })
    const native = { text, ...(model === undefined ? {} : { model }) }
    return { card, cache, neutral: null, advice: [], native: (wanted) => withCache(native, wanted) }
  }
  const read = neutralRequest(card, body, cache, now, work)
  const { advice } = read
  const neutral = { ...read.neutral, ...(systemHead === 0 ? {} : { systemHead }) }
  return {
    card,
    cache,
    neutral,
    advice,
    native: (wanted) => renderNeutral(dialectOf(card), withCache(neutral, wanted)),
  }
}

/** A native body as its dialect takes it. */
export function nativeRequest(
  { request, model }: { request: RawJson; model?: string | undefined },
  cache: CacheRequest | undefined,
): NativeRequest {
  return withCache({ text: request.text, ...(model === undefined ? {} : { model }) }, cache)
}

function withCache<Request extends object>(request: Request, cache: CacheRequest | undefined): Request {
  return cache === undefined ? request : { ...request, cache }
}

/**
 * Cuts a native body where its prefix ends, and takes its credentials out. `baseModel`: the model whose facts hold, instead of the body's.
 * Throws `invalid_request` or `unsupported` for bodies that its dialect cannot take.
 */
export function cut(card: Card, native: NativeRequest, now: number, baseModel?: string): PreparedPrefix {
  const { text, credentials } = withoutCredentials(native.text)
  const prefix = dialectOf(card).prepare({ ...native, text }, (model) => factsOf(card.id, baseModel ?? model, now))
  return credentials.length === 0 ? prefix : { ...prefix, credentials }
}
